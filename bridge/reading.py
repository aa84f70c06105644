"""What a message says, before anything is known about it from outside: its event, and what that asks for. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bridge.amqp.delivery import Delivery
from bridge.errors import GaveUpError
from bridge.fault import is_ours
from bridge.plain import Published, event_in
from bridge.replay_mark import ReplayMark, mark_of, marked
from bridge.route import Routing, route
from bridge.settings import BridgeSettings
from bridge.sorting import Place, place
from bridge.topology.model import Topology
from contracts.envelope import Event
from contracts.errors import PermanentError
from workflows.language.library import Library


@dataclass(frozen=True, slots=True)
class Reading:
    """An event, what it asks for and where it belongs.

    Attributes:
        event: The event.
        routing: What it asks for.
        place: Where it belongs.
        error: Why it must not be dispatched all the same.
    """

    event: Event
    routing: Routing
    place: Place
    error: PermanentError | None = None


def read(delivery: Delivery, library: Library, check: Callable[[Event], None], settings: BridgeSettings) -> Reading:
    """Read a message.

    Args:
        delivery: The message.
        library: The definitions whose triggers count.
        check: Raises a `PermanentError` for an event that is not as the schemas of its type say.
        settings: The topology, and how often a message may be delivered.

    Raises:
        MalformedEventError: It is no event.
    """
    event = event_of(delivery, settings.topology)
    routing = route(event, library, _salt(event))
    found = place(event, delivery.priority, routing, settings.topology)
    where = Place(delivery.group or found.key, delivery.priority_class or found.priority_class)
    return Reading(event, routing, where, _error(event, delivery, check, settings.deliveries))


def event_of(delivery: Delivery, topology: Topology) -> Event:
    """Return the event in a message.

    Raises:
        MalformedEventError: It is no event.
    """
    published = Published(delivery.exchange, delivery.routing_key)
    return event_in(delivery.body, delivery.properties, published, topology.plain)


def with_mark(reading: Reading, mark: ReplayMark | None, library: Library) -> Reading:
    """Return the reading of the same event with another mark of a replay, or with none; its place stays the same."""
    event = marked(reading.event, mark)
    return replace(reading, event=event, routing=route(event, library, _salt(event)))


def _salt(event: Event) -> str:
    mark = mark_of(event)
    return str(mark.id) if mark is not None and mark.again else ""


def too_often(delivery: Delivery, deliveries: int) -> None:
    """Refuse a message that nobody who had it in hand ever answered.

    Raises:
        GaveUpError: It was delivered more often than that.
    """
    if delivery.earlier > deliveries:
        raise GaveUpError(f"It was delivered {delivery.earlier} times, and whoever had it in hand never answered.")


def _error(event: Event, delivery: Delivery, check: Callable[[Event], None], deliveries: int) -> PermanentError | None:
    try:
        too_often(delivery, deliveries)
        check(event)
    except PermanentError as error:
        if is_ours(error):
            raise
        return error
    return None
