"""Daily and hourly work on the store: partitions ahead, and what has outlived its use.

Every bridge does it; each statement may be repeated, and what one has done the others find done.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from bridge.archive.archiving import retain
from bridge.archive.storage import Storage
from bridge.chores import every
from bridge.settings import BridgeSettings
from contracts.errors import TemporaryError
from store import dead_letters, event_log, webhooks
from store.archive import ArchiveBusyError
from store.database import Database

_log = structlog.get_logger("bridge")
_HOURLY = timedelta(hours=1)
_WEBHOOKS = timedelta(days=30)


@dataclass(frozen=True)
class Upkeep:
    """Keeps the store in shape."""

    database: Database
    settings: BridgeSettings
    storage: Storage | None

    async def run(self, stop: asyncio.Event) -> None:
        """Do it now and every hour."""
        while True:
            await self.once()
            if not await every(_HOURLY, stop):
                return

    async def once(self) -> None:
        """Make the partitions of the coming days, and forget what is too old."""
        await event_log.ensure_days(self.database)
        await event_log.forget_seen(self.database, self.settings.window)
        await event_log.forget_delayed(self.database)
        await dead_letters.purge(self.database, self.settings.dead_letter_retention)
        await webhooks.forget_deliveries(self.database, datetime.now(UTC) - _WEBHOOKS)
        await self._archive()

    async def _archive(self) -> None:
        """Archive old days; what hinders that now is tried again in an hour, and holds up nothing else."""
        if self.storage is None:
            return
        try:
            await retain(self.database, self.storage, self.settings.event_retention)
        except ArchiveBusyError:
            pass  # another bridge does it
        except TemporaryError as error:
            _log.warning("archive_waits", error=str(error))
