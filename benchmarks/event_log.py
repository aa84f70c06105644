"""What recording and deduplication cost through PostgreSQL, in batches, a part of the events seen before."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from contracts.envelope import Event
from store.database import Database
from store.event_log import Arrival, Mark, digest_of, ensure_days, mark, record

WINDOW = timedelta(days=7)
_REPEATED = 0.3


@dataclass(frozen=True)
class Figures:
    """CPU microseconds of this process for an event, and events a second; recording alone, and with marking."""

    recorded_cpu_us: float
    marked_cpu_us: float
    recorded: float
    recorded_and_marked: float


class _Seconds(NamedTuple):
    wall: float
    cpu: float


async def event_log_cost(database: Database, events: int = 30_000, batch: int = 500, lanes: int = 2) -> Figures:
    """Measure recording alone, then recording and marking, 30 % of the events being duplicates.

    Args:
        database: Where to write; the events stay there.
        events: How many in each of the two rounds.
        batch: Events in a statement.
        lanes: Batches on their way at once.
    """
    await ensure_days(database)
    recorded = await _round(database, events, batch, lanes, marks=False)
    both = await _round(database, events, batch, lanes, marks=True)
    return Figures(recorded.cpu / events * 1e6, both.cpu / events * 1e6, events / recorded.wall, events / both.wall)


async def _round(database: Database, events: int, batch: int, lanes: int, *, marks: bool) -> _Seconds:
    stock = _events(events)
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(_lane(database, stock[lane::lanes], batch, marks=marks) for lane in range(lanes)))
    return _Seconds(time.perf_counter() - wall, time.process_time() - cpu)


async def _lane(database: Database, events: list[Event], batch: int, *, marks: bool) -> None:
    for start in range(0, len(events), batch):
        chosen = events[start : start + batch]
        arrivals = [Arrival(event, event.id, 5, digest_of(event)) for event in chosen]
        verdicts = await record(database, arrivals, WINDOW)
        if marks:
            pairs = zip(chosen, verdicts, strict=True)
            await mark(database, [_mark(event) for event, verdict in pairs if verdict.status == "new"])


def _events(count: int) -> list[Event]:
    ids = [str(uuid.uuid4()) for _ in range(count)]
    fresh = int(count * (1 - _REPEATED))
    return [_event(ids[at if at < fresh else at - fresh]) for at in range(count)]


def _event(identity: str) -> Event:
    data = {"order_id": identity, "total": 30, "items": [{"sku": "pen", "quantity": 2}, {"sku": "lamp", "quantity": 1}]}
    return Event(identity, "order.placed", "1.0", datetime.now(UTC), "shop", data, {"correlation_id": identity})  # type: ignore[arg-type]  # JSON


def _mark(event: Event) -> Mark:
    effect = {"kind": "started", "workflow_id": f"order-fulfilment/{event.id}", "run_id": str(uuid.uuid4())}
    return Mark(event.id, "dispatched", {f"start-{event.id}": effect})  # type: ignore[dict-item]  # JSON
