"""What a worker looks after beside its runs: figures for gauges, runs that take too long, runs that are stuck.

Each is a chore: a loop that looks every few seconds until it is stopped, and raises where a service is away; whoever
runs it begins it again after a while. Gauges show nothing then, rather than an old number. Breaches and stuck runs are
looked for by one worker at a time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final
from uuid import uuid5

import structlog
from temporalio.client import Client, ScheduleInfo
from temporalio.service import RPCError, RPCStatusCode

from contracts.envelope import Event
from contracts.instruments import Readings
from contracts.json import Json
from store.database import Database
from store.outbox import add_many
from store.run_watch import (
    Breach,
    OpenRuns,
    WaitingApprovals,
    alone_with_breaches,
    alone_with_stuck,
    find_breaches,
    open_runs,
    waiting_approvals,
)
from workers.detector import find_stuck, limits_of
from workers.lifecycle import IDS, VERSION
from workers.metrics import MISSES, RunMetrics
from workers.schedules import wanted_schedules
from workers.stuck import CAUSES, Stuck
from workflows.language.watching import BREACHED
from workflows.temporal.errors import translated
from workflows.temporal.run import LibrarySource

AGE_NAMES: Final = ("under 1h", "1h to 1d", "1d to 7d", "over 7d")
_FIGURES_EVERY: Final = timedelta(seconds=5)
_BREACHES_EVERY: Final = timedelta(seconds=5)
_SCHEDULES_EVERY: Final = timedelta(seconds=30)
_STUCK_EVERY: Final = timedelta(seconds=60)
_MOST_LOOKED_AT: Final = 50
_log = structlog.get_logger("worker")


async def repeating(look: Callable[[], Awaitable[None]], interval: timedelta, stop: asyncio.Event) -> None:
    """Look at once, and again after each interval, until `stop`."""
    while not stop.is_set():
        await look()
        await pause(interval, stop)


async def pause(interval: timedelta, stop: asyncio.Event) -> None:
    """Wait for so long, or until `stop`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(interval.total_seconds()):
            await stop.wait()


class RunFigures:
    """The latest figures of the projection: open runs, and approvals that wait."""

    def __init__(self, database: Database) -> None:
        """Know nothing yet."""
        self._database = database
        self._runs: list[OpenRuns] = []
        self._approvals: list[WaitingApprovals] = []

    async def run(self, stop: asyncio.Event, interval: timedelta = _FIGURES_EVERY) -> None:
        """Keep the figures up to date until `stop`."""
        try:
            await repeating(self.sample, interval, stop)
        finally:
            self._runs, self._approvals = [], []

    async def sample(self) -> None:
        """Ask once."""
        self._runs = await open_runs(self._database)
        self._approvals = await waiting_approvals(self._database)

    def show_on(self, metrics: RunMetrics) -> None:
        """Let gauges show them."""
        metrics.watch_open_runs(self._open)
        metrics.watch_approvals(self._waiting, self._oldest)

    def _open(self) -> Readings:
        return [
            (each.runs, {"definition": each.definition, "version": each.version, "status": each.status})
            for each in self._runs
        ]

    def _waiting(self) -> Readings:
        return [
            (each.approvals, {"definition": each.definition, "age": AGE_NAMES[each.age]}) for each in self._approvals
        ]

    def _oldest(self) -> Readings:
        oldest: dict[str, float] = {}
        for each in self._approvals:
            oldest[each.definition] = max(oldest.get(each.definition, 0.0), each.oldest.total_seconds())
        return [(seconds, {"definition": definition}) for definition, seconds in oldest.items()]


class SlaWatch:
    """Tells once of each run that takes longer than its definition allows."""

    def __init__(self, database: Database, library: LibrarySource, metrics: RunMetrics, source: str) -> None:
        """Look in `database`, and publish from its outbox as `source`."""
        self._database, self._library, self._metrics, self._source = database, library, metrics, source

    async def run(self, stop: asyncio.Event, interval: timedelta = _BREACHES_EVERY) -> None:
        """Look until `stop`."""
        await repeating(self.look, interval, stop)

    async def look(self) -> None:
        """Look once, unless another worker does."""
        limits = limits_of(self._library())
        if not limits:
            return
        async with alone_with_breaches(self._database) as session:
            breaches = [] if session is None else await find_breaches(session, limits)
            if session is not None and breaches:
                await add_many(session, [breach_event(breach, self._source) for breach in breaches])
        for breach in breaches:
            self._metrics.breached(breach.definition, breach.version)
            _log.warning("sla_breached", workflow_id=breach.workflow_id, run_id=breach.id, took=str(breach.took))


def breach_event(breach: Breach, source: str) -> Event:
    """Return the event that tells of a breach; a run has one, whoever finds it."""
    identity = str(uuid5(IDS, f"{breach.id}/{BREACHED}"))
    data: dict[str, Json] = {
        "definition": breach.definition,
        "version": breach.version,
        "run_id": breach.id,
        "workflow_id": breach.workflow_id,
        "key": breach.key,
        "status": breach.status,
        "started_at": breach.started_at.isoformat(),
        "ended_at": None if breach.ended_at is None else breach.ended_at.isoformat(),
        "max_duration_ms": round(breach.limit.total_seconds() * 1000),
        "duration_ms": round(breach.took.total_seconds() * 1000),
    }
    about: dict[str, Json] = {"group_id": breach.key, "correlation_id": breach.correlation_id or identity}
    return Event(identity, BREACHED, VERSION, breach.started_at + breach.limit, source, data, about)


class ScheduleMisses:
    """How many starts the schedules of the definitions missed, as Temporal counts them."""

    def __init__(self, client: Client, library: LibrarySource) -> None:
        """Know nothing yet."""
        self._client, self._library = client, library
        self._counts: dict[tuple[str, str], ScheduleInfo] = {}

    async def run(self, stop: asyncio.Event, interval: timedelta = _SCHEDULES_EVERY) -> None:
        """Keep the counts up to date until `stop`."""
        try:
            await repeating(self.sample, interval, stop)
        finally:
            self._counts = {}

    async def sample(self) -> None:
        """Ask once about each schedule."""
        counts: dict[tuple[str, str], ScheduleInfo] = {}
        for wanted in wanted_schedules(self._library()):
            info = await self._info(wanted.id)
            if info is not None:
                counts[wanted.definition, wanted.id] = info
        self._counts = counts

    async def _info(self, schedule: str) -> ScheduleInfo | None:
        with translated(self._client, schedule):
            try:
                return (await self._client.get_schedule_handle(schedule).describe()).info
            except RPCError as error:
                # Not deployed yet.
                if error.status == RPCStatusCode.NOT_FOUND:
                    return None
                raise

    def readings(self) -> Readings:
        """Return the counts for `RunMetrics.watch_schedule_misses`."""
        return [
            (count, {"definition": definition, "schedule": schedule, "reason": reason})
            for (definition, schedule), info in self._counts.items()
            for reason, count in zip(
                MISSES, (info.num_actions_missed_catchup_window, info.num_actions_skipped_overlap), strict=True
            )
        ]


class StuckWatch:
    """Logs each run that is stuck once, and counts them by cause; `saga stuck` shows the same."""

    def __init__(self, client: Client, database: Database | None, library: LibrarySource) -> None:
        """Know nothing yet."""
        self._client, self._database, self._library = client, database, library
        self._known: frozenset[tuple[str, str, str | None]] = frozenset()
        self._counts: Mapping[str, int] | None = None

    async def run(self, stop: asyncio.Event, interval: timedelta = _STUCK_EVERY) -> None:
        """Look until `stop`, for the first time after an interval: a worker that has just begun asks for work first."""
        try:
            await pause(interval, stop)
            await repeating(self.look, interval, stop)
        finally:
            self._counts = None

    async def look(self) -> None:
        """Look once, unless another worker does."""
        async with self._alone() as ours:
            if not ours:
                self._counts = None
                return
            limits = limits_of(self._library())
            found = await find_stuck(self._client, self._database, limits, _MOST_LOOKED_AT)
        self._tell(found)

    def readings(self) -> Readings:
        """Return the counts for `RunMetrics.watch_stuck`."""
        counts = self._counts
        return [] if counts is None else [(counts.get(cause, 0), {"cause": cause}) for cause in CAUSES]

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[bool]:
        if self._database is None:
            yield True
            return
        async with alone_with_stuck(self._database) as session:
            yield session is not None

    def _tell(self, found: list[Stuck]) -> None:
        keys = frozenset((stuck.workflow_id, stuck.cause, stuck.step) for stuck in found)
        for stuck in found:
            if (stuck.workflow_id, stuck.cause, stuck.step) not in self._known:
                about = {"workflow_id": stuck.workflow_id, "run_id": stuck.run_id, "step": stuck.step}
                _log.warning("run_stuck", cause=stuck.cause, what=stuck.what, cure=stuck.cure, **about)
        self._known, self._counts = keys, Counter(stuck.cause for stuck in found)
