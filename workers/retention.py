"""What PostgreSQL knows of ended runs is deleted when its time is over: by definition and outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

import structlog

from store.database import Database
from store.runs import purge
from workers.projecting import pause
from workflows.language.triggers import Definition
from workflows.temporal.run import LibrarySource

SUCCEEDED: Final = ("completed", "recovered")
FAILED: Final = ("failed", "compensated", "rollback-incomplete", "cancelled", "timed-out", "terminated")
_INTERVAL = timedelta(hours=1)
_log = structlog.get_logger("projection")


class Retention:
    """Deletes old runs, those of each loaded version by its own `keep`.

    Args:
        database: Where they are.
        library: Gives the definitions that are loaded now.
        usual: How long runs stay of which no loaded definition says it.
    """

    def __init__(self, database: Database, library: LibrarySource, usual: timedelta) -> None:
        """Begin with nothing deleted."""
        self._database, self._library, self._usual = database, library, usual

    async def run(self, stop: asyncio.Event) -> None:
        """Look every hour until `stop` is set.

        Raises:
            SagaError: PostgreSQL does not answer.
        """
        while not stop.is_set():
            deleted = await self.purge()
            if deleted:
                _log.info("runs_deleted", runs=deleted)
            await pause(stop, _INTERVAL.total_seconds())

    async def purge(self) -> int:
        """Delete what is old now, and return how many runs that were."""
        definitions, deleted = self._library().all(), 0
        for statuses, named in ((SUCCEEDED, "succeeded"), (FAILED, "failed")):
            kept = dict(_kept(definitions, named))
            deleted += await purge(self._database, self._usual, statuses, exempt=list(kept))
            for name, seconds in kept.items():
                identity, _, version = name.rpartition("@")
                span = timedelta(seconds=seconds)
                deleted += await purge(self._database, span, statuses, definition=identity, version=version)
        return deleted


def _kept(definitions: Sequence[Definition], outcome: str) -> Iterator[tuple[str, float]]:
    for definition in definitions:
        seconds: float | None = getattr(definition.keep, outcome)
        if seconds is not None:
            yield f"{definition.id}@{definition.version}", seconds
