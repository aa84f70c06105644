"""What a worker writes of its runs while they go on: rows, at no cost of history, and never in their way."""

from __future__ import annotations

from typing import Any

from temporalio.client import Client

from store.database import Database
from tests.support.waiting import eventually
from tests.workers.projection import AT_ONCE, NEVER, empty, recorded, rows, wanted_of
from tests.workflows.temporal.hosting import hosting
from tests.workflows.temporal.plans import LOCAL, act, approval, chain, foreach, library, plan, repeat, undo
from tests.workflows.temporal.test_replay import ended
from tests.workflows.temporal.watching import waiting_approval
from workers.rebuilding import rebuild
from workflows.temporal.classes import workflow_classes

LOADED = library(
    plan("gate", *chain(approval("allow", approvers=None), act("a"), act("b", execution=LOCAL))),
    plan("saga", *chain(act("a", undo=undo()), act("b", undo=undo(), execution=LOCAL), act("c", action="refuse"))),
    plan("fan", foreach("all", "${ input.items }", "one"), act("one")),
    plan("loop", repeat("all", "one", "index >= 30"), act("one")),
)


def picked(entries: list[dict[str, Any]], key: str, *names: str) -> dict[str, tuple[Any, ...]]:
    """Some columns of each row, by one of them."""
    return {str(entry[key]): tuple(entry[name] for name in names) for entry in entries}


async def test_steps_attempts_and_the_saga_are_written(client: Client, database: Database) -> None:
    """Of a run that was undone: how it ended, each step and compensation, and when its activities were taken."""
    async with recorded(client, database, LOADED) as recorded_host:
        handle = await recorded_host.host.start("saga", {})
        await ended(handle)
    found = await rows(database)
    (run,) = found["runs"]
    assert (run["id"], run["workflow_id"], run["status"]) == (handle.first_execution_run_id, handle.id, "compensated")
    assert (run["sequence"], run["written"], run["undone"], run["left_over"]) == (6, 6, 2, 0)
    assert (run["problem_type"], run["problem_step"]) == ("broken", "/steps/c")
    assert run["started_at"] <= run["changed_at"] == run["ended_at"]
    assert picked(found["steps"], "path", "step", "kind", "action", "status", "position") == {
        "a": ("a", "action", "note", "completed", 1),
        "b": ("b", "action", "note", "completed", 2),
        "c": ("c", "action", "refuse", "failed", 3),
        "a/compensate": ("a", "compensation", "undo", "completed", 5),
        "b/compensate": ("b", "compensation", "undo", "completed", 4),
    }
    assert picked(found["steps"], "path", "problem_type", "detail")["c"] == ("broken", "As it was told to.")
    assert picked(found["attempts"], "path", "attempts") == dict.fromkeys(
        ("a", "c", "a/compensate", "b/compensate"), (1,)
    )
    assert all(row["scheduled_at"] <= row["started_at"] <= row["ended_at"] for row in found["attempts"])
    assert [row["event"]["kind"] for row in sorted(found["snapshots"], key=lambda row: row["sequence"])] == [
        *("begun", "done", "done", "failed", "done", "done")
    ]
    assert [row["sequence"] for row in found["snapshots"] if row["state"] is not None] == [6]
    assert run["actions"] == sum(row["actions"] for row in found["snapshots"])


async def test_approval_is_written_with_its_decision(client: Client, database: Database) -> None:
    """Open while it waits, then who decided and how."""
    async with recorded(client, database, LOADED) as recorded_host:
        handle = await recorded_host.host.start("gate", {})
        await waiting_approval(handle)

        async def is_open() -> bool:
            return [row["decided_at"] for row in (await rows(database))["approvals"]] == [None]

        await eventually(is_open)
        await handle.signal("approve", {"step": "allow", "approver": "alice", "comment": "fine"})
        await handle.result()
    ((approved),) = (await rows(database))["approvals"]
    assert (approved["path"], approved["title"], approved["outcome"]) == ("allow", "May allow?", "completed")
    assert [(entry["approver"], entry["comment"]) for entry in approved["decisions"]] == [("alice", "fine")]
    assert approved["since"] <= approved["decided_at"]


async def test_run_keeps_its_id_through_continue_as_new(client: Client, database: Database) -> None:
    """One run, one row; the snapshots tell which execution took each event."""
    async with recorded(client, database, LOADED, continue_after=30) as recorded_host:
        handle = await recorded_host.host.start("loop", {})
        await ended(handle)
    found = await rows(database)
    (run,) = found["runs"]
    assert run["id"] == handle.first_execution_run_id != run["execution"]
    assert run["written"] == run["sequence"] == len(found["snapshots"])
    assert len({row["execution"] for row in found["snapshots"]}) > 1
    assert len(found["steps"]) == 32
    whole = [row["sequence"] for row in found["snapshots"] if row["state"] is not None]
    assert len(whole) < 12


async def test_projection_adds_nothing_to_the_history(client: Client, database: Database) -> None:
    """The same run has the same events with the projection and without."""
    lengths = []
    async with recorded(client, database, LOADED) as recorded_host:
        lengths.append(await _events(client, await recorded_host.host.start("saga", {})))
    async with hosting(client, LOADED) as host:
        lengths.append(await _events(client, await host.start("saga", {})))
    assert lengths[0] == lengths[1]


async def _events(client: Client, handle: Any) -> list[int]:
    return [event.event_type for event in (await ended(handle)).events]


async def test_full_queue_drops_counts_and_is_mended(client: Client, database: Database) -> None:
    """What has no room is dropped, no run waits for it, and the gap is filled by itself."""
    async with recorded(client, database, LOADED, capacity=2, pace=AT_ONCE) as recorded_host:
        handle = await recorded_host.host.start("fan", {"items": list(range(40))})
        await handle.result()
        assert recorded_host.record.snapshots.dropped > 0

        async def is_whole() -> bool:
            return [row["written"] - row["sequence"] for row in (await rows(database))["runs"]] == [0]

        await eventually(is_whole)
        await eventually(lambda: _attempts(database, 40))
    live = await rows(database)
    await empty(database)
    await rebuild(client, database, workflow_classes(lambda: LOADED), await wanted_of(client, handle.id))
    assert await rows(database) == live


async def _attempts(database: Database, number: int) -> bool:
    return len([row for row in (await rows(database))["attempts"] if row["started_at"]]) == number


async def test_terminated_run_is_closed_by_mending(client: Client, database: Database) -> None:
    """Temporal ends it without asking it, so nobody but the mender can tell."""
    async with recorded(client, database, LOADED, pace=AT_ONCE) as recorded_host:
        handle = await recorded_host.host.start("gate", {})
        await waiting_approval(handle)
        await handle.terminate("enough")

        async def is_closed() -> bool:
            found = [(row["status"], row["ended_at"] is None) for row in (await rows(database))["runs"]]
            return found == [("terminated", False)]

        await eventually(is_closed)


async def test_silent_writer_is_taken_for_killed(client: Client, database: Database) -> None:
    """A writer's row without a sign of life leads to a rebuild of what moved since; then it is gone."""
    async with hosting(client, LOADED) as host:
        handle = await host.start("saga", {})
        await ended(handle)
    assert not (await rows(database))["runs"]
    await database.fetch(
        "insert into saga.writers (id, seen_at) values (gen_random_uuid(), clock_timestamp() - interval '1 minute')"
    )
    async with recorded(client, database, LOADED, pace=AT_ONCE):

        async def is_known() -> bool:
            return handle.id in {row["workflow_id"] for row in (await rows(database))["runs"]}

        async def is_gone() -> bool:
            silent = "select * from saga.writers where seen_at < clock_timestamp() - interval '30 seconds'"
            return not await database.fetch(silent)

        await eventually(is_known)
        await eventually(is_gone)


async def test_writer_that_stops_leaves_no_trace(client: Client, database: Database) -> None:
    """A worker that stops in good order is not taken for killed."""
    async with recorded(client, database, LOADED, pace=NEVER) as recorded_host:
        await (await recorded_host.host.start("saga", {})).fetch_history()

        async def is_there() -> bool:
            return len(await database.fetch("select * from saga.writers")) == 1

        await eventually(is_there)
    assert not await database.fetch("select * from saga.writers")
