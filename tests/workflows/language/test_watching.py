"""`lifecycle` and `sla` stand beside the plan."""

from __future__ import annotations

import pytest

from workflows.language.compiler import compile_sources
from workflows.language.diagnostics import render
from workflows.language.fmt import format_source
from workflows.language.triggers import Definition
from workflows.language.watching import MOMENTS, Sla

STEPS = "id: x\nversion: 1.0.0\nsteps: [{id: a, type: set, vars: {}}]\n"


def definition(text: str) -> Definition:
    """Return the one compiled definition."""
    library = compile_sources({"x.yaml": text}, {}).library
    assert library is not None
    return library.all()[0]


def test_digest_does_not_know_how_a_run_is_watched() -> None:
    """A run does the same with and without, so both are one version."""
    watched = definition(STEPS + "lifecycle: all\nsla: {max_duration: 1h}\n")
    assert watched.plan == definition(STEPS).plan
    assert (watched.lifecycle, watched.sla) == (MOMENTS, Sla(3600.0, "emit"))


def test_nothing_is_watched_unless_asked_for() -> None:
    """Without the keys nothing is told, and no run takes too long."""
    assert (definition(STEPS).lifecycle, definition(STEPS).sla) == ((), None)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("failed", ("failed",)),
        ("[failed, started, failed]", ("started", "failed")),
        ("[all, started]", MOMENTS),
        ("[]", ()),
    ],
)
def test_moments_are_read_in_one_order_and_once(written: str, read: tuple[str, ...]) -> None:
    """Whatever the order in which an author lists them."""
    assert definition(STEPS + f"lifecycle: {written}\n").lifecycle == read


def test_a_moment_that_there_is_not_is_refused_with_the_one_that_was_meant() -> None:
    """With its place in the file."""
    compilation = compile_sources({"x.yaml": STEPS + "lifecycle: [started, compensatng]\n"}, {})
    [found] = compilation.diagnostics
    assert "did you mean 'compensating'?" in render(found, compilation.texts["x.yaml"])
    assert (found.line, found.column) == (4, 22)


def test_formatting_spells_the_keys_of_sla_as_usual() -> None:
    """Camel case is read, and written in snake case."""
    assert "sla: {max_duration: 1h, on_breach: emit}" in format_source(
        STEPS + "sla: {maxDuration: 1h, onBreach: emit}\n"
    )
