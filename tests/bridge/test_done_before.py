"""What an event did before, told from the log, whatever has become of its triggers since."""

from __future__ import annotations

from typing import Any

from bridge.dispatches import Dispatch
from bridge.done_before import done_before
from bridge.route import route
from contracts.json import Json
from tests.bridge.library import definition, event, library, on, template
from workflows.language.triggers import Cancel, EventTrigger, Signal, Start

A, B = template("${ event.data.a }"), template("${ event.data.b }")
BY_INVOICE = Signal(None, "paid", correlate=template({"invoice": "${ event.data.a }"}))
START_A, START_B, SIGNAL_A = on("x", Start(A)), on("x", Start(B)), on("x", Signal(A, "note"))
NEW = on("y", Start(A))


def dispatches(*triggers: EventTrigger) -> tuple[Dispatch, ...]:
    """What one event asks these triggers for."""
    return route(event("x", {"a": "a", "b": "b"}), library(definition("order", *triggers))).dispatches


def record(dispatch: Dispatch, kind: str, run: str | None = None) -> dict[str, Json]:
    """What the log has of a dispatch that was carried out."""
    return {dispatch.request_id: {"kind": kind, "workflow_id": run or dispatch.target, "run_id": None}}


def found(now: tuple[Dispatch, ...], done: dict[str, Any]) -> list[str | None]:
    """The run of what each dispatch did before; None for what it never did."""
    before = done_before(now, done)
    return [str(before[one.request_id]["workflow_id"]) if one.request_id in before else None for one in now]


def test_each_trigger_finds_its_own() -> None:
    """Two that start runs with two keys, one that failed."""
    first, second = dispatches(START_A, START_B)
    assert found((first, second), record(second, "started")) == [None, "order/b"]
    assert found((first, second), record(first, "already-started") | record(second, "started")) == [
        "order/a",
        "order/b",
    ]


def test_triggers_that_moved_are_told_by_what_they_did() -> None:
    """A new one before them has the request id of the first, and has done nothing."""
    first, second = dispatches(START_A, START_B)
    done = record(first, "started") | record(second, "started")
    another = on("x", Start(template("c")))
    assert found(dispatches(another, START_A, START_B), done) == [None, "order/a", "order/b"]
    assert found(dispatches(START_B), done) == ["order/b"]
    [moved] = dispatches(NEW, START_A)
    assert done_before([moved], record(first, "started"))[moved.request_id]["request_id"] == first.request_id


def test_trigger_whose_key_was_mended_has_had_its_effect() -> None:
    """At another run, but once: `--again` is for that."""
    [wrong] = dispatches(START_A)
    assert found(dispatches(START_B), record(wrong, "started")) == ["order/a"]


def test_effect_of_another_kind_or_trigger_counts_for_nobody_else() -> None:
    """Two that are for one run: the other one's effect is not this one's."""
    start, signal = dispatches(START_A, SIGNAL_A)
    assert found((start, signal), record(signal, "signalled")) == [None, "order/a"]
    twins = dispatches(SIGNAL_A, SIGNAL_A)
    assert found(twins, record(twins[1], "signalled")) == [None, "order/a"]
    assert found(dispatches(NEW, START_A), record(signal, "signalled")) == [None]


def test_correlated_message_is_told_by_its_definition_where_the_log_has_only_the_run() -> None:
    """It went to one run, and its trigger has moved."""
    [first] = dispatches(on("x", BY_INVOICE))
    for run in ("order/r", "order?invoice=a"):
        assert found(dispatches(NEW, on("x", BY_INVOICE)), record(first, "signalled", run)) == [run]
    assert found(dispatches(NEW, on("x", BY_INVOICE)), record(first, "signalled", "other/r")) == [None]


def test_cancellation_is_told_like_a_message() -> None:
    """And what is no effect at all is passed over."""
    [first] = dispatches(on("x", Cancel(A)))
    now = dispatches(NEW, on("x", Cancel(A)))
    assert found(now, record(first, "cancelled") | {"odd": None, "odder": "x"}) == ["order/a"]
    assert found(now, record(first, "started")) == [None]
