"""The bridge as a whole: a supervisor that keeps one consuming session alive.

A session is built from the top each time: connect, declare, consume. So a restarted broker, a deleted queue and a
cut connection are one case. What cannot get better by trying (a queue with other properties) ends the bridge with a
plain error, at start and later.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import structlog
from temporalio.client import Client

from bridge.amqp.connection import connected
from bridge.amqp.consumer import consume
from bridge.amqp.topology import declare_queues
from bridge.backoff import delay_seconds
from bridge.dispatch import Dispatcher
from bridge.errors import BrokerRefusedError, SessionLostError
from bridge.handling import Handling
from bridge.outcomes import Outcome
from bridge.settings import BridgeSettings
from bridge.tally import Tally
from contracts.errors import SagaError, ServiceUnreachableError
from workflows.language.library import Library

_DEFAULT = BridgeSettings()
_HEALTHY_SECONDS = 30.0
_log = structlog.get_logger("bridge")


class Bridge:
    """A running bridge; made by `running_bridge`."""

    def __init__(self, amqp_url: str, handling: Handling, tally: Tally) -> None:
        """Begin to connect."""
        self._url, self._handling, self._settings = amqp_url, handling, handling.settings
        self._stop = asyncio.Event()
        self._consuming = asyncio.Event()
        self._tally = tally
        self._supervising = asyncio.create_task(self._supervise())

    @property
    def counts(self) -> Mapping[str, int]:
        """Outcomes so far by their word: dispatched, unrouted, dead-lettered."""
        return self._tally.counts

    @property
    def is_consuming(self) -> bool:
        """Whether a session is up now."""
        return self._consuming.is_set()

    def stop(self) -> None:
        """Let the bridge finish what it has in hand and end."""
        self._stop.set()

    async def until_consuming(self) -> None:
        """Wait until a session is up.

        Raises:
            SagaError: The bridge ended instead.
        """
        waiting = asyncio.create_task(self._consuming.wait())
        try:
            await asyncio.wait((waiting, self._supervising), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._supervising.done():
            await self._supervising

    async def ended(self) -> None:
        """Wait until the bridge ends, by `stop` or by itself.

        Raises:
            SagaError: Why it ended by itself.
        """
        await asyncio.shield(self._supervising)

    async def _supervise(self) -> None:
        failures, opened = 0, False
        clock = asyncio.get_running_loop().time
        while not self._stop.is_set():
            began = clock()
            try:
                await self._session()
            except (ServiceUnreachableError, SessionLostError, BrokerRefusedError) as error:
                opened = opened or self.is_consuming
                if not opened:
                    raise
                failures = 1 if clock() - began > _HEALTHY_SECONDS else failures + 1
                await self._pause(failures, error)

    async def _session(self) -> None:
        async with connected(self._url, "sagawright bridge") as connection:
            await declare_queues(connection, self._settings)
            await consume(connection, self._settings, self._handling.take, self._consuming.set, self._stop)

    async def _pause(self, failures: int, error: SagaError) -> None:
        self._consuming.clear()
        _log.warning("session_lost", error=str(error), failures=failures)
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_seconds(failures, self._settings.longest_reconnect)):
                await self._stop.wait()


@asynccontextmanager
async def running_bridge(
    amqp_url: str,
    client: Client,
    library: Callable[[], Library],
    settings: BridgeSettings = _DEFAULT,
    *,
    on_outcome: Callable[[Outcome], None] | None = None,
    reached: Callable[[str], None] | None = None,
) -> AsyncIterator[Bridge]:
    """Run a bridge inside the block; it consumes when the block begins, and finishes what it has in hand when it ends.

    Args:
        amqp_url: The broker.
        client: A connected client of Temporal's; the caller keeps it.
        library: Gives the definitions whose triggers count now; asked for each event.
        settings: How to consume and dispatch.
        on_outcome: Told the outcome of each delivery, after it was answered. Must not block.
        reached: Told the name of each crash point: after-consume, after-start, after-dead-letter, before-acknowledge.

    Raises:
        ServiceUnreachableError: The broker is away at the start.
        BrokerRefusedError: It does not let us in, or not do what is needed.
        TopologyMismatchError: A queue or exchange has other properties. If that happens later, the block's end raises.
    """
    tally = Tally(on_outcome)
    dispatcher = Dispatcher(client, settings.task_queue)
    bridge = Bridge(amqp_url, Handling(library, dispatcher, settings, tally.tell, reached or _pass), tally)
    try:
        await bridge.until_consuming()
        yield bridge
    finally:
        bridge.stop()
        await bridge.ended()


async def run_bridge(
    amqp_url: str,
    client: Client,
    library: Callable[[], Library],
    settings: BridgeSettings = _DEFAULT,
    *,
    on_outcome: Callable[[Outcome], None] | None = None,
    reached: Callable[[str], None] | None = None,
) -> None:
    """Run a bridge until this task is cancelled; arguments and errors as for `running_bridge`."""
    async with running_bridge(amqp_url, client, library, settings, on_outcome=on_outcome, reached=reached) as bridge:
        await bridge.ended()


def _pass(_: str) -> None:
    """Nobody waits at this crash point."""
