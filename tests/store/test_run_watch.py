"""What watchers ask of the projection, on the real server."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from store.database import Database
from store.run_watch import (
    Limit,
    OpenRuns,
    alone_with_breaches,
    alone_with_stuck,
    find_breaches,
    open_runs,
    overdue_runs,
    unchanged_runs,
    waiting_approvals,
)
from tests.store.run_rows import add_approval, add_run
from tests.support.waiting import PATIENCE_SECONDS

HOUR = timedelta(hours=1)
LIMITS = [Limit("order", "1.0.0", HOUR)]


async def breaches(database: Database) -> list[str]:
    """Look for breaches and return whose they are."""
    async with alone_with_breaches(database) as session:
        assert session is not None
        return [breach.id for breach in await find_breaches(session, LIMITS)]


async def look_and_fail(database: Database) -> None:
    """Find a breach, and fail before it is told."""
    async with alone_with_breaches(database) as session:
        assert session is not None
        _ = 1 / (len(await find_breaches(session, LIMITS)) - 1)


async def test_open_runs_are_counted_by_version_and_status(database: Database) -> None:
    """Ended ones and parts of others do not count."""
    await add_run(database, "a")
    await add_run(database, "b")
    await add_run(database, "c", status="waiting", version="2.0.0")
    await add_run(database, "d", status="completed", ended=timedelta(0))
    await add_run(database, "e", part_of="a")
    assert await open_runs(database) == [
        OpenRuns("order", "1.0.0", "running", 2),
        OpenRuns("order", "2.0.0", "waiting", 1),
    ]


async def test_waiting_approvals_are_counted_by_age(database: Database) -> None:
    """Decided ones, and those of ended runs, do not count."""
    await add_run(database, "a")
    await add_run(database, "b", ended=timedelta(0))
    waited = (timedelta(minutes=1), timedelta(minutes=50), timedelta(hours=2), timedelta(days=3), timedelta(days=9))
    for number, time in enumerate(waited):
        await add_approval(database, "a", f"p{number}", time)
    await add_approval(database, "a", "decided", HOUR, decided=True)
    await add_approval(database, "b", "p", HOUR)
    found = await waiting_approvals(database)
    assert [(each.age, each.approvals) for each in found] == [(0, 2), (1, 1), (2, 1), (3, 1)]
    assert timedelta(days=9) <= found[-1].oldest < timedelta(days=10)


async def test_breach_is_found_once(database: Database) -> None:
    """Open or ended since, but not within its time, of another version, a part, or ended long ago."""
    await add_run(database, "late", started=timedelta(hours=2))
    await add_run(database, "ended-late", started=timedelta(hours=3), ended=timedelta(minutes=30))
    await add_run(database, "in-time", started=timedelta(minutes=50))
    await add_run(database, "ended-in-time", started=timedelta(hours=3), ended=timedelta(hours=2, minutes=30))
    await add_run(database, "other", started=timedelta(hours=2), version="1.1.0")
    await add_run(database, "part", started=timedelta(hours=2), part_of="late")
    await add_run(database, "long-ago", started=timedelta(days=9), ended=timedelta(days=8))
    assert await breaches(database) == ["ended-late", "late"]
    assert await breaches(database) == []


async def test_breach_that_was_rolled_back_is_found_again(database: Database) -> None:
    """What is told of it is written in the same transaction, so it is told as well, or neither is."""
    await add_run(database, "late", started=timedelta(hours=2))
    with pytest.raises(ZeroDivisionError):
        await look_and_fail(database)
    assert await breaches(database) == ["late"]


async def test_breach_tells_of_its_run(database: Database) -> None:
    """How long it may take, how long it took, and who it is."""
    await add_run(database, "late", started=timedelta(hours=2))
    async with alone_with_breaches(database) as session:
        assert session is not None
        [breach] = await find_breaches(session, LIMITS)
    assert (breach.workflow_id, breach.key, breach.version, breach.status) == ("order/late", "late", "1.0.0", "running")
    assert breach.limit == HOUR
    assert HOUR * 2 <= breach.took < HOUR * 3
    assert breach.ended_at is None


async def test_one_looks_at_a_time(database: Database) -> None:
    """The second is refused; the two kinds of looking do not meet."""
    async with alone_with_breaches(database) as first, alone_with_breaches(database) as second:
        assert first is not None
        assert second is None
        async with alone_with_stuck(database) as other:
            assert other is not None
    assert await asyncio.wait_for(breaches(database), PATIENCE_SECONDS) == []


async def test_run_is_overdue_by_its_definition_or_by_what_others_took(database: Database) -> None:
    """Twenty ended runs are enough to know what is usual; the definition's own word goes before."""
    for number in range(20):
        await add_run(database, f"usual{number}", definition="quick", started=HOUR * 2, ended=HOUR * 2 - HOUR / 60)
        await add_run(database, f"named{number}", started=HOUR * 2, ended=HOUR * 2 - HOUR / 60)
    for number in range(19):
        await add_run(database, f"few{number}", definition="rare", started=HOUR * 2, ended=HOUR * 2 - HOUR / 60)
    for definition in ("quick", "rare", "order"):
        await add_run(database, f"slow-{definition}", definition=definition, started=timedelta(minutes=4))
        await add_run(database, f"new-{definition}", definition=definition, started=timedelta(minutes=2))
    await add_run(database, "late", started=timedelta(hours=2))
    found = await overdue_runs(database, LIMITS)
    assert [(run.id, run.by_definition, run.known_runs) for run in found] == [
        ("late", True, 20),
        ("slow-quick", False, 20),
    ]
    assert timedelta(seconds=179) < found[1].expected < timedelta(seconds=181)


async def test_unchanged_runs_are_those_that_wait_for_nobody(database: Database) -> None:
    """The one that has not moved for longest is first."""
    await add_run(database, "b", changed=timedelta(minutes=5))
    await add_run(database, "a", changed=timedelta(minutes=9))
    await add_run(database, "people", status="waiting", changed=timedelta(days=9))
    await add_run(database, "moves", changed=timedelta(seconds=1))
    await add_run(database, "over", changed=timedelta(minutes=9), ended=timedelta(minutes=9))
    assert await unchanged_runs(database, timedelta(minutes=1), 10) == [("order/a", "a"), ("order/b", "b")]
    assert await unchanged_runs(database, timedelta(minutes=1), 1) == [("order/a", "a")]
