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
from tests.bridge.dispatch_harness import ORDERS, DispatchHarness, new_key, note, open_dispatch_harness, placed
from tests.support.proxy import proxy
from tests.support.waiting import PATIENCE_SECONDS, eventually
from workflows.temporal.starting import StartRequest, start_run


@pytest.fixture
async def harness(client: Client, database: Database) -> AsyncIterator[DispatchHarness]:
    """A dispatcher of this test's own."""
    async with open_dispatch_harness(client, database) as opened:
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


async def start(harness: DispatchHarness, key: str, notes: int = 1) -> None:
    """Start a run behind the bridge's back; it ends when it has had so many notes."""
    [definition] = ORDERS.current()
    await start_run(harness.client, harness.queue, StartRequest(definition, placed(key, notes=notes).data, key=key))


async def emptied(harness: DispatchHarness) -> None:
    """Wait until nothing is kept."""

    async def empty() -> bool:
        return await harness.keeper.count() == 0

    await eventually(empty)


async def test_keeper_delivers_in_order_once_the_run_is_there(harness: DispatchHarness) -> None:
    """Somebody starts the run; the keeper finds out by itself, and two keepers do it once."""
    key = new_key()
    for say in ("one", "two", "three"):
        await harness.kind(note("note.kept", say, id=key))
    async with at_work(harness.keeper, harness.new_keeper()):
        await start(harness, key, 3)
        assert await harness.signals_received(key) == ["one", "two", "three"]
        await emptied(harness)
    assert [effect for _, effect in harness.delivered] == [Effect("signalled", f"order/{key}")] * 3
    assert harness.lost == []


async def test_keeper_delivers_many_runs_between_several_keepers(harness: DispatchHarness) -> None:
    """Each message is delivered once, and each run's in order, whichever keeper does it."""
    keys = [new_key() for _ in range(12)]
    for say in ("one", "two", "three"):
        for key in keys:
            await harness.kind(note("note.kept", say, id=key))
    for key in keys:
        await start(harness, key, 3)
    async with at_work(harness.keeper, harness.new_keeper()):
        assert [await harness.signals_received(key) for key in keys] == [["one", "two", "three"]] * len(keys)
        await emptied(harness)
    assert len(harness.delivered) == 36


async def test_keeper_tries_at_once_when_it_is_woken(harness: DispatchHarness) -> None:
    """Who has started a run need not wait for the next try, however often it was tried in vain."""
    key = new_key()
    await harness.kind(note("note.kept", "one", id=key))
    for _ in range(6):
        await harness.keeper.release(f"order/{key}")
    [row] = await harness.database.fetch("select tries, next_try_at - clock_timestamp() as rest from saga.held_events")
    assert (row["tries"], row["rest"] > timedelta(seconds=20)) == (6, True)
    async with at_work(harness.keeper):
        await start(harness, key)
        harness.keeper.woken(f"order/{key}")
        assert await harness.signals_received(key) == ["one"]


async def test_keeper_gives_up_when_the_time_is_over(harness: DispatchHarness) -> None:
    """It is told with its reason, and what waits behind it goes on waiting."""
    key = new_key()
    brief, kept = note("note.brief", "one", id=key), note("note.kept", "two", id=key)
    await harness.kind(brief)
    await harness.kind(kept)
    async with at_work(harness.keeper):

        async def lost() -> bool:
            return len(harness.lost) > 0

        await eventually(lost)
    [(identity, error)] = harness.lost
    assert (identity, error.code) == (brief.id, "run-missing")
    assert f"order/{key}" in str(error)
    assert await harness.keeper.count() == 1
    await start(harness, key)
    async with at_work(harness.keeper):
        assert await harness.signals_received(key) == ["two"]


async def test_keeper_gives_up_what_no_run_waits_for(harness: DispatchHarness) -> None:
    """The same for an event without a key."""
    told = note("paid.brief", "x", invoice=new_key())
    assert await harness.kind(told) == "held"
    async with at_work(harness.keeper):
        await emptied(harness)
    assert [(identity, error.code) for identity, error in harness.lost] == [(told.id, "run-missing")]


async def test_keeper_finds_the_run_that_waits_later(harness: DispatchHarness) -> None:
    """An event without a key that came first reaches the run once its step waits."""
    key = new_key()
    assert await harness.kind(note("paid.kept", "paid", invoice=f"I-{key}")) == "held"
    async with at_work(harness.keeper):
        await harness.kind(placed(key))
        assert await harness.signals_received(key) == ["paid"]
        await emptied(harness)
    assert [effect for _, effect in harness.delivered] == [Effect("signalled", f"order/{key}")]


async def test_keeper_tells_what_temporal_refuses_and_goes_on(harness: DispatchHarness) -> None:
    """A message that is too large for Temporal does not block those behind it."""
    key = new_key()
    large = note("note.kept", "x" * 1_200_000, id=key)
    [message] = route(large, ORDERS).dispatches
    assert isinstance(message, SignalDispatch)
    await harness.keeper.hold(holding(message, large, datetime.now(UTC)))
    await harness.kind(note("note.kept", "two", id=key))
    await start(harness, key)
    async with at_work(harness.keeper):
        assert await harness.signals_received(key) == ["two"]
    assert [(identity, error.code) for identity, error in harness.lost] == [(large.id, "refused-by-temporal")]


async def test_keeper_tells_again_when_it_was_not_heard(harness: DispatchHarness) -> None:
    """The recipient may be unavailable; nothing is taken out before it has heard, and the run has its message once."""
    key, heard = new_key(), list[str]()

    async def delivered(held: Held, _: Effect) -> None:
        heard.append(held.event.id)
        if len(heard) == 1:
            raise TemporaryError("Not now.")

    keeper = Keeper(
        harness.client, harness.database, Breaker("PostgreSQL", timedelta(seconds=1)), delivered, harness.note_lost
    )
    told = note("note.kept", "one", id=key)
    await harness.kind(told)
    await start(harness, key, 2)
    async with at_work(keeper):
        await emptied(harness)
    await harness.kind(note("note.kept", "two", id=key))
    assert heard == [told.id] * 2
    assert await harness.signals_received(key) == ["one", "two"]


async def test_keeper_waits_while_temporal_is_away(harness: DispatchHarness) -> None:
    """Nothing is lost, not even what expires meanwhile; it is delivered when Temporal is back."""
    key = new_key()
    await harness.kind(note("note.kept", "one", id=key))
    await start(harness, key)
    host, _, port = harness.client.service_client.config.target_host.rpartition(":")
    async with proxy(host, int(port)) as line:
        client = await Client.connect(f"{host}:{line.port}")
        line.cut()
        async with at_work(harness.new_keeper(client)):
            await line.tried()
            assert await harness.keeper.count() == 1
            line.mend()
            assert await harness.signals_received(key) == ["one"]


async def test_keeper_that_is_killed_loses_nothing_and_repeats_nothing(
    harness: DispatchHarness, postgres_url: str
) -> None:
    """Processes are killed after each delivery, before it is noted; the run has each message once and in order."""
    key = new_key()
    for say in ("one", "two", "three"):
        await harness.kind(note("note.kept", say, id=key))
    await start(harness, key, 3)
    for _ in range(3):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.bridge.keeper_main",
            postgres_url,
            harness.client.service_client.config.target_host,
        )
        assert await process.wait() == -signal.SIGKILL
        assert await harness.keeper.count() == 3
    async with at_work(harness.keeper):
        assert await harness.signals_received(key) == ["one", "two", "three"]
        await emptied(harness)


async def test_keeper_ends_when_it_is_told_to(harness: DispatchHarness) -> None:
    """Also while it waits for the next round."""
    stop = asyncio.Event()
    running = asyncio.create_task(harness.keeper.run(stop))
    await harness.kind(note("note.kept", "one", id=new_key()))
    stop.set()
    await running
    assert await store.count(harness.database) == 1


async def test_signal_before_its_step_is_kept_by_the_run(harness: DispatchHarness) -> None:
    """A run that is there takes an event before the step that waits for it, and gives it to the step in order."""
    key = new_key()
    await harness.kind(placed(key, notes=3, invoice=key))
    for say in ("one", "two", "three"):
        assert await harness.kind(note("note.kept", say, id=key)) == "signalled"
    assert await harness.signals_received(key) == ["one", "two", "three"]


async def _away() -> None:
    raise ServiceUnreachableError("PostgreSQL", "127.0.0.1:5432", "Start it.")


async def test_release_does_not_wait_for_its_own_probe(
    harness: DispatchHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL comes back: the recipient of a delivery waits behind the same breaker, and must not meet us there."""
    breaker = Breaker("PostgreSQL", timedelta(milliseconds=10))

    async def marked(held: Held, effect: Effect) -> None:
        await breaker.protect(lambda: harness.note_delivered(held, effect))

    async def waits_and_is_lost(target: str) -> bool:
        answer = await waits(target)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await breaker.protect(_away)
        return answer

    keeper = Keeper(harness.client, harness.database, breaker, marked, harness.note_lost)
    waits, key = keeper.waits, new_key()
    monkeypatch.setattr(keeper, "waits", waits_and_is_lost)
    await harness.kind(note("note.kept", "one", id=key))
    await start(harness, key)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await keeper.release(f"order/{key}")
    assert await harness.signals_received(key) == ["one"]
    assert len(harness.delivered) == 1
