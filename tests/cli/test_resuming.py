"""`saga redrive` and `saga compensate`, against a real Temporal server and a real worker."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from activities.outbound import open_client
from activities.registry import catalog
from activities.resources import Resources
from cli.exits import Exit
from tests.support.command_line import Shell
from tests.support.waiting import eventually
from workers.worker import make_worker
from workflows.language.compiler import compile_sources

PAYING = """
id: paying
version: {version}
saga: {{on: [{on}]}}
steps:
  - id: reserve
    action: data.transform
    with: {{value: "${{ input.item }}"}}
    compensate: {{action: data.transform, with: {{value: "${{ {undo} }}"}}}}
  - id: charge
    action: data.transform
    with: {{value: "${{ {charge} }}"}}
"""
BROKEN, MENDED = "int(input.item)", "input.item + ' is paid'"
CLEAN, STUCK = "input.item", "int(input.item)"


def paying(version: str, charge: str, *, on: str = "", undo: str = CLEAN) -> str:
    """Return a definition whose step `charge` fails, or one in which it was mended."""
    return PAYING.format(version=version, charge=charge, on=on, undo=undo)


@pytest.fixture
async def shop(connected: Shell, client: Client) -> AsyncIterator[Shell]:
    """A shell, and a worker for a definition and its mended version; the second one is for who names it."""
    texts = {
        "definitions/paying-1.yaml": paying("1.0.0", BROKEN),
        "definitions/paying-2.yaml": paying("1.1.0", MENDED),
        "definitions/undoing-1.yaml": paying("1.0.0", BROKEN, on="failure").replace("id: paying", "id: undoing"),
    }
    for name, text in texts.items():
        connected.write(name, text)
    library = compile_sources(texts, catalog()).library
    assert library is not None
    queue = connected.environment["SAGA_TASK_QUEUE"]
    async with open_client() as http, make_worker(client, lambda: library, Resources(http), queue):
        yield connected


@pytest.fixture
def key() -> str:
    """Return a business key that no other test has."""
    return uuid.uuid4().hex[:8]


async def failed(shop: Shell, definition: str, key: str) -> str:
    """Have a run fail and return its workflow id."""
    name = definition.partition("@")[0]
    run = await shop.saga("run", definition, "-k", key, "-i", '{"item": "pear"}')
    assert run.code == Exit.RUN_FAILED, run.err
    return f"{name}/{key}"


async def test_redrive_goes_on_under_a_mended_version(shop: Shell, key: str) -> None:
    """A dry run says where; then the run goes on there and completes."""
    run = await failed(shop, "paying@1.0.0", key)
    dry = await shop.saga("redrive", run, "--with-version", "1.1.0", "--dry-run")
    assert dry.code == Exit.OK
    for part in ("GOES ON AT", run, "failed", "1.1.0", "what came next", "Nothing was done"):
        assert part in dry.out
    done = await shop.saga("redrive", run, "--with-version", "1.1.0", "--json")
    [resumed] = done.json["resumed"]
    assert (resumed["workflow_id"], resumed["status"], resumed["version"]) == (run, "failed", "1.1.0")
    assert resumed["run_id"] != resumed["resumes"]
    watched = await shop.saga("watch", run, "--json")
    assert watched.json["output"] == "pear is paid"


async def test_redrive_refuses_what_cannot_be(shop: Shell, key: str) -> None:
    """No run, an unknown step, a completed run, a run that does not exist: each is bad input with a sentence."""
    run = await failed(shop, "paying@1.0.0", key)
    none = await shop.saga("redrive")
    assert (none.code, "Name one run, or several by --query" in none.err) == (Exit.BAD_INPUT, True)
    both = await shop.saga("redrive", "--query", "x", "--from", "charge")
    assert (both.code, "--from names a step of one run" in both.err) == (Exit.BAD_INPUT, True)
    step = await shop.saga("redrive", run, "--from", "pack")
    assert (step.code, "has not reached a step `pack`" in step.err) == (Exit.BAD_INPUT, True)
    rollback = await shop.saga("compensate", run)
    assert (rollback.code, "There is nothing left to undo" in rollback.err) == (Exit.BAD_INPUT, True)
    missing = await shop.saga("redrive", f"paying/{key}-none")
    assert missing.code == Exit.BAD_INPUT
    assert "Traceback" not in missing.err


async def test_redrive_of_many_by_a_query(shop: Shell, key: str) -> None:
    """All runs that a query finds go on, those that cannot are told; the second time nothing is left to do."""
    runs = [await failed(shop, "paying@1.0.0", f"{key}-{number}") for number in range(3)]
    query = f"SagaDefinition='paying' AND SagaStatus='failed' AND WorkflowId STARTS_WITH 'paying/{key}'"

    async def all_are_found() -> bool:
        dry = await shop.saga("redrive", "--query", query, "--with-version", "1.1.0", "--dry-run")
        return "3 runs would go on" in dry.out and all(run in dry.out for run in runs)

    await eventually(all_are_found)
    limited = await shop.saga("redrive", "--query", query, "--with-version", "1.1.0", "--limit", "2", "--yes")
    assert (limited.code, "2 runs resumed, 0 left." in limited.out) == (Exit.OK, True)
    # One that goes on is still found by its failed execution, and is left alone.
    rest = await shop.saga("redrive", "--query", query, "--with-version", "1.1.0", "--json")
    assert (len(rest.json["resumed"]), rest.json["left"]) == (1, [])
    ends = await asyncio.gather(*(shop.saga("watch", run, "--json") for run in runs))
    assert {end.json["output"] for end in ends} == {"pear is paid"}
    wrong = await shop.saga("redrive", "--query", "SagaDefinition =", "--yes")
    assert (wrong.code, "Traceback" in wrong.err) == (Exit.BAD_INPUT, False)


async def test_redrive_of_a_compensated_run_names_the_first_step_undone(shop: Shell, key: str) -> None:
    """What was undone is done again, and the same mistake undoes it again."""
    run = await failed(shop, "undoing", key)
    dry = await shop.saga("redrive", run, "--dry-run", "--json")
    assert (dry.json["dry_run"], dry.json["resumed"][0]["again"]) == (True, ["reserve"])
    assert dry.json["resumed"][0]["run_id"] is None
    again = await shop.saga("redrive", run)
    assert f"{run} goes on. `saga watch {run}` shows it." in again.out
    watched = await shop.saga("watch", run, "--json")
    assert watched.json["status"] == "compensated"
