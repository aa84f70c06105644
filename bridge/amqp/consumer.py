"""One session of consuming: in line for every queue, until we stop or are cut off.

A session ends in ways that all look the same to the supervisor: the connection or a channel closed, the broker
cancelled a consumer (its queue was deleted), or a delivery could not be answered. What is in hand then is dropped: it
is unacknowledged, so it comes again. While a session lasts, it keeps to this bridge's share: it goes to the end of the
line for each queue that is another's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bridge.amqp.connection import LOST, losing
from bridge.amqp.delivery import Delivery
from bridge.amqp.lease import ConnectionLease, heartbeat_of
from bridge.amqp.line import Line
from bridge.amqp.outlets import Outlets, open_outlets
from bridge.amqp.sharing import Broker, SharedConnection
from bridge.errors import SessionLostError
from bridge.membership import Members, Membership, share
from bridge.settings import BridgeSettings
from bridge.topology.names import INBOX, partition_queue

Take = Callable[[Delivery, Outlets], Awaitable[None]]


def _untold(_: str) -> None:
    """Nobody counts."""


@dataclass(frozen=True)
class Stations:
    """Who handles what: at the inbox, and at the partitions.

    Attributes:
        inbox: Takes a delivery of the inbox.
        partition: Takes one of a partition.
        unpublished: Told `refused` or `unconfirmed` for each copy that the broker did not take at once.
    """

    inbox: Take
    partition: Take
    unpublished: Callable[[str], None] = _untold


async def consume(
    broker: Broker,
    settings: BridgeSettings,
    stations: Stations,
    membership: Membership,
    in_hand: set[asyncio.Future[None]],
    consuming: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Consume until `stop` is set, then finish what is in hand.

    Args:
        broker: The connections; everything is declared there.
        settings: Partitions, prefetch and patience.
        stations: Handle and answer deliveries.
        membership: The bridges that share the queues.
        in_hand: Where the tasks of deliveries in hand are noted, for whoever counts them.
        consuming: Called once all consumers are registered.
        stop: Set it to end the session.

    Raises:
        SessionLostError: The session ended by itself.
    """
    lost = _Loss()
    timeout, longest = settings.publish_timeout, settings.longest_reconnect
    opening = open_outlets(broker.publishing, timeout, longest, lost=lost.tell, failed=stations.unpublished)
    try:
        async with opening as outlets:
            lease = ConnectionLease(heartbeat_of(await broker.consuming.opened()))
            lost.told.add_done_callback(lambda _: lease.end())
            session = _Session(broker.consuming, settings, stations, outlets, lease, lost, in_hand)
            await session.run(membership, consuming, stop)
    except LOST as error:
        raise SessionLostError(str(error)) from error


class _Loss:
    """The reason why a session is lost, once it is."""

    def __init__(self) -> None:
        self.told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def tell(self, reason: str) -> None:
        """End the session."""
        if not self.told.done():
            self.told.set_result(reason)


class _Session:
    """The lines."""

    def __init__(
        self,
        shared: SharedConnection,
        settings: BridgeSettings,
        stations: Stations,
        outlets: Outlets,
        lease: ConnectionLease,
        lost: _Loss,
        in_hand: set[asyncio.Future[None]],
    ) -> None:
        self._shared, self._settings, self._outlets, self._lease = shared, settings, outlets, lease
        self._lost = lost.told
        self._lines = [
            Line(shared, queue, prefetch, _bound(take, outlets), lost.tell, lease, in_hand)
            for queue, prefetch, take in _queues(settings, stations)
        ]

    async def run(self, membership: Membership, consuming: Callable[[], None], stop: asyncio.Event) -> None:
        stopping = asyncio.ensure_future(stop.wait())
        sharing = asyncio.ensure_future(self._share(membership, consuming))
        leasing = asyncio.ensure_future(self._keep_lease())
        try:
            await asyncio.wait((stopping, sharing, leasing, self._lost), return_when=asyncio.FIRST_COMPLETED)
            for task in (sharing, leasing):
                if task.done():
                    task.result()
            if self._lost.done():
                raise SessionLostError(f"RabbitMQ: {self._lost.result()}")
            await _cancelled(sharing)
            await asyncio.gather(*(line.give_up(self._settings.patience) for line in self._lines))
        finally:
            self._outlets.close()
            self._lease.end()
            await _cancelled(stopping, sharing, leasing)
            await asyncio.gather(*(line.end() for line in self._lines))
            membership.leaves_line()

    async def _keep_lease(self) -> None:
        """Ask the broker on a channel of its own, whose number of messages in flight nothing else needs."""
        async with self._shared.holding(confirms=False) as channel:
            with losing():
                await self._lease.keep(lambda: channel.set_qos(prefetch_count=1))

    async def _share(self, membership: Membership, consuming: Callable[[], None]) -> None:
        """Get in line for all, and to the end of the line for what is another's."""
        mine = share([line.queue for line in self._lines], membership.members, membership.id)
        # First for what is ours, so that bridges that start together each find their share free.
        for line in sorted(self._lines, key=lambda line: line.queue not in mine):
            await line.open()
        consuming()
        await membership.stands_in_line()
        await self._keep_to_share(membership)

    async def _keep_to_share(self, membership: Membership) -> None:
        """Leave to the others what is theirs whenever bridges come or go, and whatever we are served of it meanwhile.

        Bridges that come together have different views for a moment, and what one leaves then may fall to a third.
        """
        seen: Members = (membership.id,)
        while True:
            members = membership.members
            mine = share([line.queue for line in self._lines], members, membership.id)
            foreign = [line for line in self._lines if line.queue not in mine]
            await _all_or_none(self._yield(line) for line in foreign if members != seen or line.was_served)
            seen = members
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.sign_of_life.total_seconds()):
                    await membership.change()

    async def _yield(self, line: Line) -> None:
        await line.give_up(self._settings.patience)
        await line.open()


def _queues(settings: BridgeSettings, stations: Stations) -> list[tuple[str, int, Take]]:
    """The inbox, and the partitions of each class; what may be in hand of a class is shared among its partitions."""
    count = settings.topology.partitions
    each = -(-settings.prefetch // count)
    partitions = [
        (partition_queue(one.name, number), each, stations.partition)
        for one in settings.topology.classes
        for number in range(count)
    ]
    return [(INBOX, settings.prefetch, stations.inbox), *partitions]


def _bound(take: Take, outlets: Outlets) -> Callable[[Delivery], Awaitable[None]]:
    async def taken(delivery: Delivery) -> None:
        try:
            await take(delivery, outlets)
        except Exception:
            # Before the next in its lane has its turn: that must not be published while this one was not.
            outlets.close()
            raise

    return taken


async def _cancelled(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _all_or_none(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Carry all out at once; when one fails, the others are cancelled and over when its error is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    if not tasks:
        return
    try:
        await asyncio.gather(*tasks)
    finally:
        await _cancelled(*tasks)
