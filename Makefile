# Everything starts here: `make demo` to see it work, `make test` to check it. Both prepare the machine by themselves.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test unit lint typecheck cover chaos rabbitmq-4 bench lock clean run-ready test-ready

# Compiled modules and rewritten assertions are kept: hundreds of processes of the tests read them.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
PACKAGES := cli workers bridge workflows activities store contracts tests $(wildcard benchmarks)
COMPILE := uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: run-ready ## A guided tour on real services; ARGS=--unattended ends by itself
	@$(BIN)/saga demo $(ARGS)

test: lint typecheck cover ## Every check and every test

unit: test-ready ## The tests that need no server, in less than a minute
	@$(BIN)/pytest -n2 -m unit $(ARGS)

lint: test-ready ## Style, layout, imports and dependencies
	@printf '\n== ruff check ==\n' && $(BIN)/ruff check .
	@printf '\n== ruff format ==\n' && $(BIN)/ruff format --check .
	@printf '\n== lint-imports ==\n' && $(BIN)/lint-imports --no-logo --no-cache
	@printf '\n== deptry ==\n' && $(BIN)/deptry .

typecheck: test-ready ## Types, strictly
	@printf '\n== mypy ==\n' && $(BIN)/mypy $(PACKAGES)

cover: test-ready ## The tests alone, with branch coverage; ARGS are pytest's
	@printf '\n== pytest ==\n' && $(BIN)/coverage erase && $(BIN)/coverage run -m pytest $(ARGS)
	@printf '\n== coverage ==\n' && $(BIN)/coverage combine --quiet && $(BIN)/coverage report --format=total
	@printf '\n== coverage of workflows/ ==\n' && $(BIN)/coverage report --include='workflows/*' --fail-under=90

chaos: test-ready ## The fault suite in its full form; SAGA_CHAOS_SEED=n repeats a load
	@SAGA_CHAOS=full $(BIN)/pytest -n0 -s -o coroutine_timeout=3000 -o timeout=3300 -o faulthandler_timeout=3600 tests/chaos $(ARGS)

rabbitmq-4: test-ready ## The tests of the bridge and the fault suite in full, on RabbitMQ 4
	@deploy/rabbitmq-4
	@SAGA_TEST_RABBITMQ=build/rabbitmq-4 $(BIN)/pytest tests/bridge tests/cli/test_topology.py tests/cli/test_dlq.py $(ARGS)
	@SAGA_TEST_RABBITMQ=build/rabbitmq-4 $(MAKE) --no-print-directory chaos

bench: test-ready ## The product against the same written by hand
	@$(BIN)/python -m benchmarks.overhead $(ARGS)
	@$(BIN)/python -m benchmarks.bridge

lock: ## Resolve the dependencies anew (needs uv)
	@command -v uv >/dev/null || { echo 'uv is needed: pipx install uv'; exit 2; }
	$(COMPILE) pyproject.toml --output-file requirements.lock
	$(COMPILE) pyproject.toml --group dev --constraint requirements.lock --output-file requirements-dev.lock
	$(COMPILE) --group build --constraint requirements-dev.lock --output-file requirements-build.lock

clean: ## Remove what was made here, but not the state in .saga
	rm -rf .venv build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(PACKAGES) -name __pycache__ -type d -prune -exec rm -rf {} +

run-ready:
	@deploy/bootstrap run

test-ready:
	@deploy/bootstrap test
