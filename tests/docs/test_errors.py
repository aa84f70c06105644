"""docs/errors.md lists exactly what the product can report: neither more nor less."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from bridge.amqp import letters
from bridge.outcomes import CONFLICT
from cli.exits import Exit
from contracts.errors import SagaError
from contracts.problems import STANDARD_TYPES
from tests.docs.pages import ROOT, first_cells, section
from workflows.language.check.rules import codes as checked_codes

PACKAGES = ("activities", "bridge", "cli", "contracts", "store", "workers", "workflows")
FILES_OF_THE_BRIDGE = ("bridge/topology", "bridge/schemas", "bridge/http")
REPORTING = frozenset({"error", "warning", "_stop", "Finding"})
CODE = re.compile(r"[a-z]+(-[a-z]+)*")


def diagnostic_codes() -> set[str]:
    """Return every code of the compiler and of the bridge's files: what is declared, and what is reported in words."""
    return set(checked_codes()) | reported(*REPORTING) | reported("error", "warning", places=FILES_OF_THE_BRIDGE)


def reported(*functions: str, places: Iterable[str] = ("workflows/language",)) -> set[str]:
    """Return the codes that are given to functions of these names."""
    files = (file for place in places for file in (ROOT / place).rglob("*.py"))
    return {code for file in files for code in _reported_in(file, functions)}


def _reported_in(file: Path, functions: Iterable[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and _name_of(node.func) in functions:
            # A place comes first, in one function behind where to report.
            texts = (argument.value for argument in node.args[1:3] if isinstance(argument, ast.Constant))
            code = next(texts, None)
            if isinstance(code, str) and CODE.fullmatch(code):
                yield code


def _name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def error_codes() -> set[str]:
    """Return the code of every error class in the product."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)
    return {error.code for error in _with_subclasses(SagaError) if error.__module__.split(".")[0] in PACKAGES}


def _with_subclasses(error: type[SagaError]) -> Iterator[type[SagaError]]:
    yield error
    for subclass in error.__subclasses__():
        yield from _with_subclasses(subclass)


def documented(heading: str) -> list[str]:
    """Return what the tables below a heading list, which must not list anything twice."""
    found = first_cells(section("errors.md", heading))
    assert len(found) == len(set(found))
    return found


def test_every_diagnostic_is_documented() -> None:
    """The codes of the compiler are those of the page."""
    assert sorted(documented("Diagnostics")) == sorted(diagnostic_codes())


def test_warnings_are_marked_as_such() -> None:
    """What only ever warns is marked as a warning, and nothing else is."""
    marked = re.findall(r"^\| `([^`]+)` \| Warning:", section("errors.md", "Diagnostics"), re.MULTILINE)
    assert set(marked) == reported("warning") - reported("error", "_stop")


def test_every_error_class_is_documented() -> None:
    """The codes of the error classes are those of the page."""
    assert sorted(documented("Error codes")) == sorted(error_codes())


def test_every_code_of_a_dead_letter_is_documented() -> None:
    """What is dead-lettered without an error of ours has its codes on the page too."""
    by_broker = {code for code, _ in vars(letters)["_BY_BROKER"].values()}
    assert set(documented("Codes of dead letters")) == (by_broker | {CONFLICT, letters.UNEXPLAINED}) - error_codes()


def test_every_standard_problem_type_is_documented() -> None:
    """The standard problem types are those of the page."""
    assert documented("Problem types") == list(STANDARD_TYPES)


def test_every_exit_code_is_documented() -> None:
    """Number and name of each exit code are those of the page."""
    rows = re.findall(r"^\| `(\d+)` \| (\w+) \|", section("errors.md", "Exit codes"), re.MULTILINE)
    assert rows == [(str(code.value), code.name) for code in Exit]
