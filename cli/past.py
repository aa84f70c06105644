"""The state of a run at any of its events, from PostgreSQL: the last whole state before it, advanced by the engine.

It is the same engine and the same plan, so the state is the one that the run had, to the letter. Where the plan is
not loaded, or an event is missing, only the whole states can be shown, and the refusal says which those are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cli.exits import BadInputError
from contracts.json import Json
from store.database import Database
from store.run_states import StoredRun, Stretch, find_run, has_moved, stretch, whole_numbers
from workflows.engine.advance import advance, new_state
from workflows.engine.event_serial import event_from_json
from workflows.engine.serial import state_from_json, state_to_json
from workflows.engine.state import State
from workflows.language.library import Library
from workflows.language.plan import Plan

Document = dict[str, Any]
_KEYED = {"records": "path", "waits": "path", "operations": "id"}


async def require_run(database: Database, name: str) -> StoredRun:
    """Return the run that `name` means.

    Raises:
        BadInputError: PostgreSQL knows no such run.
    """
    run = await find_run(database, name)
    if run is None:
        raise BadInputError(
            f"PostgreSQL knows no run {name!r}. RUN is a workflow id, as `saga list` shows it, or a run id; "
            f"`saga rebuild {name}` reads it from Temporal's history."
        )
    return run


async def state_at(database: Database, library: Library, run: StoredRun, number: int) -> Document:
    """Return the state after event `number` as JSON.

    Raises:
        BadInputError: There is no such event, or the state cannot be made; the message says what can be shown.
    """
    if not 1 <= number <= run.sequence:
        raise BadInputError(f"{run.workflow_id} has the events 1 to {run.sequence}; there is no event {number}.")
    found = await stretch(database, run.id, number)
    if found.whole is not None and found.sequence == number:
        return found.whole
    digest = run.digest if found.whole is None else str(found.whole["digest"])
    if found.whole is None and await has_moved(database, run.id):
        moved = f"{run.workflow_id} has moved to another version since, and nothing tells from which"
        raise BadInputError(f"{moved}. {await _what_is_whole(database, run)}")
    plan = _plan(library, run, digest)
    if plan is None:
        loaded = f"The version of {run.definition} that was deployed with digest {digest[:8]} is not loaded"
        raise BadInputError(f"{loaded}; name its file with -d. {await _what_is_whole(database, run)}")
    missing = next((at for at in range(found.sequence + 1, number + 1) if at not in found.events), None)
    if missing is not None:
        cure = f"`saga rebuild {run.workflow_id}` reads it from Temporal's history"
        raise BadInputError(f"Event {missing} is missing: {cure}. {await _what_is_whole(database, run)}")
    return state_to_json(_advanced(plan, found))


def changes(before: Json, after: Json) -> list[tuple[str, Json, Json]]:
    """Return what differs between two states: JSON pointer, value before and after; None where there is none."""
    return list(_differences("", _keyed(before), _keyed(after)))


def _plan(library: Library, run: StoredRun, digest: str) -> Plan | None:
    loaded = library.versions.get(run.definition, ())
    return next((entry.plan for entry in loaded if entry.plan.digest == digest), None)


async def _what_is_whole(database: Database, run: StoredRun) -> str:
    numbers = await whole_numbers(database, run.id)
    if not numbers:
        return "No state of it can be shown without."
    return f"States that can be shown without: --at {', '.join(map(str, numbers))}."


def _advanced(plan: Plan, found: Stretch) -> State:
    state = new_state(plan) if found.whole is None else state_from_json(found.whole)
    for number in sorted(found.events):
        state, _ = advance(plan, state, event_from_json(found.events[number]))
    return state


def _keyed(state: Json) -> Json:
    """Give what is a list by its order the names of its entries, so that a new one does not change all behind it."""
    assert isinstance(state, dict)
    keyed: dict[str, Any] = {
        name: {entry[key]: entry for entry in state.get(name, ())}  # type: ignore[index, union-attr, call-overload]  # as `state_to_json` wrote it
        for name, key in _KEYED.items()
    }
    return {**state, **keyed}


def _differences(pointer: str, before: Json, after: Json) -> Iterator[tuple[str, Json, Json]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            escaped = name.replace("~", "~0").replace("/", "~1")
            yield from _differences(f"{pointer}/{escaped}", before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{pointer}/{number}", old, new)
    elif before != after:
        yield pointer, before, after
