"""What only PostgreSQL knows, kept in memory for whoever scrapes: lag, dead letters, outbox, bridges.

A scrape must not wait for a database, so the figures are read every few seconds. While the database does not answer
they are unknown, and gauges then show nothing rather than an old number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

import structlog

from bridge.chores import every
from bridge.metrics import Metrics
from contracts.errors import SagaError
from store.database import Database
from store.top import Figures, read_figures

T = TypeVar("T")
_EVERY: Final = timedelta(seconds=5)
_log = structlog.get_logger("bridge")


class LatestFigures:
    """The latest figures: `sample` asks once, `run` every few seconds."""

    def __init__(self, database: Database) -> None:
        """Know nothing yet."""
        self._database = database
        self.latest: Figures | None = None

    async def run(self, stop: asyncio.Event, interval: timedelta = _EVERY) -> None:
        """Keep the figures up to date until `stop`."""
        await self.sample()
        while await every(interval, stop):
            await self.sample()

    async def sample(self) -> None:
        """Ask once."""
        try:
            self.latest = await read_figures(self._database)
        except SagaError as error:
            self.latest = None
            _log.debug("figures_unknown", error=str(error))

    def show_on(self, metrics: Metrics) -> None:
        """Let gauges show them."""
        metrics.watch_lag(self._reading(lambda figures: figures.lag))
        metrics.watch_open_dead_letters(self._reading(lambda figures: figures.dead_letters))
        metrics.watch_outbox(
            self._reading(lambda figures: figures.outbox), self._reading(lambda figures: figures.outbox_age)
        )
        metrics.watch_bridges(self._reading(lambda figures: figures.bridges))

    def _reading(self, pick: Callable[[Figures], T]) -> Callable[[], T | None]:
        return lambda: None if self.latest is None else pick(self.latest)
