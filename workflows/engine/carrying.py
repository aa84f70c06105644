"""How a run goes on in a new execution before its history grows too long, and what becomes of one that cannot.

It **drains** first: nothing new starts, and once nothing is in flight it continues as new. A child workflow cannot be
handed over, so while one runs only further children are held (`full`), and draining begins when the last has ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nlargest

from contracts.json import Json, NotJsonError, encode
from contracts.problems import STATE_TOO_LARGE, Problem
from contracts.sizes import CARRIED_LIMIT_BYTES
from workflows.engine import saga
from workflows.engine.commands import ContinueAsNew
from workflows.engine.state import State
from workflows.engine.turn import Turn

_NAMED = 3


def drain(turn: Turn) -> None:
    """Start nothing new from here on, or while a child runs no further child."""
    state = turn.state
    state.full = not state.stays
    state.draining = state.full and not _has_children(state)


def continue_if_drained(turn: Turn) -> None:
    """Ask for the new execution once nothing is in flight that it could not take over."""
    state = turn.state
    if state.phase == "ended":
        return
    if state.full and not state.draining and not _has_children(state):
        state.draining = True
    if state.draining and not _in_flight(state):
        turn.commands.append(ContinueAsNew())


def stay(turn: Turn, size: int) -> None:
    """Fail the run in this execution, and roll it back, because no other could take its state over."""
    state = turn.state
    state.stays, state.draining, state.full = True, False, False
    if state.phase == "running":
        saga.unwind(turn, "failure", too_large(state, size))
    elif state.phase == "compensating":
        saga.compensate(turn)


def _has_children(state: State) -> bool:
    return any(operation.kind == "child" for operation in state.operations.values())


def _in_flight(state: State) -> bool:
    return any(operation.kind != "timer" for operation in state.operations.values())


def too_large(state: State, size: int) -> Problem:
    """Return the problem of a state that cannot be carried over; it names what is largest."""
    largest = ", ".join(f"{name} ({count:,})" for count, name in nlargest(_NAMED, _parts(state)))
    detail = (
        f"The run's history is long, and what it holds has {size:,} bytes, packed, where {CARRIED_LIMIT_BYTES:,} can "
        f"be carried into a new one. The largest, in bytes of JSON: {largest}. Keep less: let steps give what later "
        "ones need, or store it elsewhere and keep where it is."
    )
    return Problem(STATE_TOO_LARGE, "The state is too large", 413, detail)


def _parts(state: State) -> Iterator[tuple[int, str]]:
    yield _size(state.input), "the input"
    yield state.mailbox_bytes, "messages that nobody waited for"
    for name, value in state.vars.items():
        yield _size(value), f"vars.{name}"
    for scope in state.scopes.values():
        for name, step in scope.steps.items():
            yield _size(step.get("output")), f"steps.{name}"
    for entry in state.armed:
        yield _size(entry.args), f"what undoes {entry.path}"


def _size(value: Json) -> int:
    try:
        return len(encode(value, any_depth=True))
    except NotJsonError:
        return 0
