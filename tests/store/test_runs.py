"""Runs written anew: what is ahead of their history stays for a while, what never came into it goes."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from store.database import Database
from store.runs import rewrite, rows_of, with_gaps, write
from tests.workflows.temporal.plans import act, chain, plan
from workflows.engine.advance import advance, new_state
from workflows.engine.change import Change, change_of
from workflows.engine.events import Begun, Done, Event, Message, RunInfo

PLAN = plan("order", *chain(act("a"), act("b"), act("c"), act("d")))
SOME = 2


def lived(ago: timedelta) -> list[Change]:
    """Return what three events changed in a run, so long ago."""
    at = round((time.time() - ago.total_seconds()) * 1_000)
    return changes_of(Begun(at, RunInfo("run", "order/1", "1"), {}), Done(at, "a", {}), Done(at, "b", {}))


def changes_of(*events: Event) -> list[Change]:
    """Return what events changed in a run."""
    state, changes = new_state(PLAN), []
    for event in events:
        state, commands = advance(PLAN, state, event)
        changes.append(change_of(PLAN, state, event, commands, "run"))
    return changes


async def found(database: Database) -> tuple[int, int, set[str]]:
    """Return the run's number, how many snapshots it has, and its steps."""
    [run] = await database.fetch("select sequence from saga.runs")
    snapshots = await database.fetch("select sequence from saga.snapshots")
    return run["sequence"], len(snapshots), {row["path"] for row in await database.fetch("select path from saga.steps")}


async def test_what_has_just_come_stays_and_is_looked_at_again(database: Database) -> None:
    """The history was fetched before the last event came into it."""
    changes = lived(timedelta(0))
    await write(database, rows_of(changes))
    await rewrite(database, rows_of(changes[:SOME]))
    assert await found(database) == (3, 3, {"a", "b", "c"})
    assert await with_gaps(database, timedelta(0), 10) == ["order/1"]
    await rewrite(database, rows_of(changes))
    assert await found(database) == (3, 3, {"a", "b", "c"})
    assert await with_gaps(database, timedelta(0), 10) == []


async def test_what_never_came_into_the_history_goes(database: Database) -> None:
    """A worker wrote it down and was killed before its workflow task was complete; the run took another way or none."""
    changes = lived(timedelta(minutes=2))
    await write(database, rows_of(changes))
    await rewrite(database, rows_of(changes[:SOME]))
    assert await found(database) == (2, 2, {"a", "b"})
    assert await with_gaps(database, timedelta(0), 10) == []


@pytest.mark.parametrize("together", [False, True])
async def test_run_that_took_a_number_twice_is_looked_at_again(database: Database, together: bool) -> None:
    """A workflow task that was refused, or a query, took in what came in another order than the history has it."""
    at = round(time.time() * 1_000)
    begun, late = Begun(at, RunInfo("run", "order/1", "1"), {}), Message(at + 2, "note", {})
    refused = changes_of(begun, Done(at + 1, "a", {}), late)
    accepted = changes_of(begun, Message(at + 3, "note", {}), Done(at + 3, "a", {}))
    for changes in ([*refused, *accepted],) if together else (refused, accepted):
        await write(database, rows_of(changes))
    assert await with_gaps(database, timedelta(0), 10) == ["order/1"]
    await rewrite(database, rows_of(accepted))
    assert await with_gaps(database, timedelta(0), 10) == []


async def test_run_that_is_written_twice_is_left_alone(database: Database) -> None:
    """The answer of a write that was carried out may be lost; it is written again then."""
    changes = lived(timedelta(0))
    await write(database, rows_of(changes))
    await write(database, rows_of(changes[1:]))
    assert await with_gaps(database, timedelta(0), 10) == []
