"""The keeper: what came too early is delivered once, in order, or given up when its time is over."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from bridge.breaker import Breaker
from bridge.dispatches import SignalDispatch
from bridge.holding import Held, holding
from bridge.keeper import Keeper
from bridge.outcomes import Effect
from bridge.route import route
from contracts.errors import ServiceUnreachableError, TemporaryError
from store import held as store
from store.database import Database
from tests.bridge.desk import ORDERS, Desk, fresh, note, open_desk, placed
from tests.bridge.proxy import proxy
from tests.bridge.waiting import eventually
from workflows.temporal.starting import StartRequest, start_run


@pytest.fixture
async def desk(client: Client, database: Database) -> AsyncIterator[Desk]:
    """A desk of this test's own."""
    async with open_desk(client, database) as opened:
        yield opened


@asynccontextmanager
async def at_work(*keepers: Keeper) -> AsyncIterator[None]:
    """Let keepers run inside the block, and end without an error."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for keeper in keepers:
            group.create_task(keeper.run(stop))
        yield
        stop.set()


async def start(desk: Desk, key: str, notes: int = 1) -> None:
    """Start a run behind the bridge's back; it ends when it has had so many notes."""
    [definition] = ORDERS.current()
    await start_run(desk.client, desk.queue, StartRequest(definition, placed(key, notes=notes).data, key=key))


async def emptied(desk: Desk) -> None:
    """Wait until nothing is kept."""

    async def empty() -> bool:
        return await desk.keeper.count() == 0

    await eventually(empty)


async def test_keeper_delivers_in_order_once_the_run_is_there(desk: Desk) -> None:
    """Somebody starts the run; the keeper finds out by itself, and two keepers do it once."""
    key = fresh()
    for say in ("one", "two", "three"):
        await desk.kind(note("note.kept", say, id=key))
    async with at_work(desk.keeper, desk.another_keeper()):
        await start(desk, key, 3)
        assert await desk.said(key) == ["one", "two", "three"]
        await emptied(desk)
    assert [effect for _, effect in desk.delivered] == [Effect("signalled", f"order/{key}")] * 3
    assert desk.lost == []


async def test_keeper_delivers_many_runs_between_several_keepers(desk: Desk) -> None:
    """Each message is delivered once, and each run's in order, whoever does it."""
    keys = [fresh() for _ in range(12)]
    for say in ("one", "two", "three"):
        for key in keys:
            await desk.kind(note("note.kept", say, id=key))
    for key in keys:
        await start(desk, key, 3)
    async with at_work(desk.keeper, desk.another_keeper()):
        assert [await desk.said(key) for key in keys] == [["one", "two", "three"]] * len(keys)
        await emptied(desk)
    assert len(desk.delivered) == 36


async def test_keeper_tries_at_once_when_it_is_woken(desk: Desk) -> None:
    """Who has started a run need not wait for the next try, however often it was tried in vain."""
    key = fresh()
    await desk.kind(note("note.kept", "one", id=key))
    for _ in range(6):
        await desk.keeper.release(f"order/{key}")
    [row] = await desk.database.fetch("select tries, next_try_at - clock_timestamp() as rest from saga.held_events")
    assert (row["tries"], row["rest"] > timedelta(seconds=20)) == (6, True)
    async with at_work(desk.keeper):
        await start(desk, key)
        desk.keeper.woken(f"order/{key}")
        assert await desk.said(key) == ["one"]


async def test_keeper_gives_up_when_the_time_is_over(desk: Desk) -> None:
    """It is told with its reason, and what waits behind it goes on waiting."""
    key = fresh()
    brief, kept = note("note.brief", "one", id=key), note("note.kept", "two", id=key)
    await desk.kind(brief)
    await desk.kind(kept)
    async with at_work(desk.keeper):

        async def lost() -> bool:
            return len(desk.lost) > 0

        await eventually(lost)
    [(identity, error)] = desk.lost
    assert (identity, error.code) == (brief.id, "run-missing")
    assert f"order/{key}" in str(error)
    assert await desk.keeper.count() == 1
    await start(desk, key)
    async with at_work(desk.keeper):
        assert await desk.said(key) == ["two"]


async def test_keeper_gives_up_what_no_run_waits_for(desk: Desk) -> None:
    """The same for an event without a key."""
    told = note("paid.brief", "x", invoice=fresh())
    assert await desk.kind(told) == "held"
    async with at_work(desk.keeper):
        await emptied(desk)
    assert [(identity, error.code) for identity, error in desk.lost] == [(told.id, "run-missing")]


async def test_keeper_finds_the_run_that_waits_later(desk: Desk) -> None:
    """An event without a key that came first reaches the run once its step waits."""
    key = fresh()
    assert await desk.kind(note("paid.kept", "paid", invoice=f"I-{key}")) == "held"
    async with at_work(desk.keeper):
        await desk.kind(placed(key))
        assert await desk.said(key) == ["paid"]
        await emptied(desk)
    assert [effect for _, effect in desk.delivered] == [Effect("signalled", f"order/{key}")]


async def test_keeper_tells_what_temporal_refuses_and_goes_on(desk: Desk) -> None:
    """A message that is too large for Temporal does not block those behind it."""
    key = fresh()
    large = note("note.kept", "x" * 1_200_000, id=key)
    [message] = route(large, ORDERS).dispatches
    assert isinstance(message, SignalDispatch)
    await desk.keeper.hold(holding(message, large, datetime.now(UTC)))
    await desk.kind(note("note.kept", "two", id=key))
    await start(desk, key)
    async with at_work(desk.keeper):
        assert await desk.said(key) == ["two"]
    assert [(identity, error.code) for identity, error in desk.lost] == [(large.id, "refused-by-temporal")]


async def test_keeper_tells_again_when_it_was_not_heard(desk: Desk) -> None:
    """Whoever is told may be away; nothing is taken out before it has heard, and the run has its message once."""
    key, heard = fresh(), list[str]()

    async def delivered(held: Held, _: Effect) -> None:
        heard.append(held.event.id)
        if len(heard) == 1:
            raise TemporaryError("Not now.")

    keeper = Keeper(desk.client, desk.database, Breaker("PostgreSQL", timedelta(seconds=1)), delivered, desk.note_lost)
    told = note("note.kept", "one", id=key)
    await desk.kind(told)
    await start(desk, key, 2)
    async with at_work(keeper):
        await emptied(desk)
    await desk.kind(note("note.kept", "two", id=key))
    assert heard == [told.id] * 2
    assert await desk.said(key) == ["one", "two"]


async def test_keeper_waits_while_temporal_is_away(desk: Desk) -> None:
    """Nothing is lost, not even what expires meanwhile; it is delivered when Temporal is back."""
    key = fresh()
    await desk.kind(note("note.kept", "one", id=key))
    await start(desk, key)
    host, _, port = desk.client.service_client.config.target_host.rpartition(":")
    async with proxy(host, int(port)) as line:
        client = await Client.connect(f"{host}:{line.port}")
        line.cut()
        async with at_work(desk.another_keeper(client)):
            await line.tried()
            assert await desk.keeper.count() == 1
            line.mend()
            assert await desk.said(key) == ["one"]


async def test_keeper_that_is_killed_loses_nothing_and_repeats_nothing(desk: Desk, postgres_url: str) -> None:
    """Processes are killed after each delivery, before it is noted; the run has each message once and in order."""
    key = fresh()
    for say in ("one", "two", "three"):
        await desk.kind(note("note.kept", say, id=key))
    await start(desk, key, 3)
    for _ in range(3):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.bridge.keeper_process",
            postgres_url,
            desk.client.service_client.config.target_host,
        )
        assert await process.wait() == -signal.SIGKILL
        assert await desk.keeper.count() == 3
    async with at_work(desk.keeper):
        assert await desk.said(key) == ["one", "two", "three"]
        await emptied(desk)


async def test_keeper_ends_when_it_is_told_to(desk: Desk) -> None:
    """Also while it waits for the next round."""
    stop = asyncio.Event()
    running = asyncio.create_task(desk.keeper.run(stop))
    await desk.kind(note("note.kept", "one", id=fresh()))
    stop.set()
    await running
    assert await store.count(desk.database) == 1


async def test_signal_before_its_step_is_kept_by_the_run(desk: Desk) -> None:
    """A run that is there takes an event before the step that waits for it, and gives it to the step in order."""
    key = fresh()
    await desk.kind(placed(key, notes=3, invoice=key))
    for say in ("one", "two", "three"):
        assert await desk.kind(note("note.kept", say, id=key)) == "signalled"
    assert await desk.said(key) == ["one", "two", "three"]


async def _away() -> None:
    raise ServiceUnreachableError("PostgreSQL", "127.0.0.1:5432", "Start it.")


async def test_release_does_not_wait_for_its_own_probe(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL comes back: who is told of a delivery waits behind the same breaker, and must not meet us there."""
    breaker = Breaker("PostgreSQL", timedelta(milliseconds=10))

    async def marked(held: Held, effect: Effect) -> None:
        await breaker.protect(lambda: desk.note_delivered(held, effect))

    async def waits_and_is_lost(target: str) -> bool:
        answer = await waits(target)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await breaker.protect(_away)
        return answer

    keeper = Keeper(desk.client, desk.database, breaker, marked, desk.note_lost)
    waits, key = keeper.waits, fresh()
    monkeypatch.setattr(keeper, "waits", waits_and_is_lost)
    await desk.kind(note("note.kept", "one", id=key))
    await start(desk, key)
    async with asyncio.timeout(30):
        await keeper.release(f"order/{key}")
    assert await desk.said(key) == ["one"]
    assert len(desk.delivered) == 1
