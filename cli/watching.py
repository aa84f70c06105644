"""The part of the composition root that watches runs: what takes their new states, and what a worker looks after."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from temporalio.client import Client

from activities.resources import Resources
from bridge.chores import Chore, doing
from bridge.metrics import Metrics
from workers.changes import ChangeSink, Taker
from workers.lifecycle import LifecycleTeller
from workers.metrics import RunMetrics
from workers.telling import EventQueue, OutboxWriter
from workers.watch import RunFigures, ScheduleMisses, SlaWatch, StuckWatch
from workflows.temporal.course import Sink
from workflows.temporal.run import LibrarySource

_PATIENCE: Final = timedelta(seconds=10)


def _nobody() -> None:
    """The relay looks by itself."""


@asynccontextmanager
async def watched(
    client: Client, library: LibrarySource, resources: Resources, metrics: Metrics
) -> AsyncIterator[Sink]:
    """Watch runs inside the block.

    Args:
        client: Temporal.
        library: Gives the definitions that count now.
        resources: Their database, if they have one, holds the projection and the outbox; without it there are no
            lifecycle events, and nothing is known of SLAs and waiting approvals.
        metrics: Runs are counted on its meter.

    Yields:
        The sink for the worker.
    """
    counts = RunMetrics(metrics.meter)
    for definition in library().all():
        counts.know(definition.id, definition.version)
    stuck = StuckWatch(client, resources.database, library)
    counts.watch_stuck(stuck.readings)
    chores: dict[str, Chore] = {"stuck": stuck.run}
    if counts.measures:
        misses = ScheduleMisses(client, library)
        counts.watch_schedule_misses(misses.readings)
        chores["schedules"] = misses.run
    takers: list[Taker] = [counts.changed] if counts.measures else []
    if resources.database is not None:
        queue, source = EventQueue(counts), resources.source
        takers.append(LifecycleTeller(library, queue.put, source).changed)
        chores["lifecycle"] = OutboxWriter(resources.database, queue, counts, _nobody).run
        chores["sla"] = SlaWatch(resources.database, library, counts, source).run
        if counts.measures:
            figures = RunFigures(resources.database)
            figures.show_on(counts)
            chores["figures"] = figures.run
    async with doing(chores, _PATIENCE):
        yield ChangeSink(*takers)
