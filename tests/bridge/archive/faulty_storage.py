"""Storages with faults, and a process that dies while it archives.

`python -m tests.bridge.archive.faulty_storage URL FOLDER DAY STEP` archives a day and exits at once at that step.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import date
from pathlib import Path

from bridge.archive.archiving import archive_days
from bridge.archive.storage import S3Access, Storage, open_storage
from store.database import open_database
from tests.support.processes import ROOT

SEEDED = 30
_CRASHED = 9


class Altered:
    """A storage to which something happens right after a file of this name was put."""

    def __init__(self, storage: Storage, name: str, happens: Callable[[], Awaitable[None]]) -> None:
        self._storage, self._name, self._happens = storage, name, happens

    @property
    def location(self) -> str:
        return self._storage.location

    async def put(self, name: str, content: Path | bytes) -> None:
        await self._storage.put(name, content)
        if name.endswith(self._name):
            await self._happens()

    def read(self, name: str) -> AsyncGenerator[bytes, None]:
        return self._storage.read(name)

    async def names(self, folder: str) -> list[str]:
        return await self._storage.names(folder)

    async def remove(self, name: str) -> None:
        await self._storage.remove(name)


class Counted:
    """A storage that counts its steps: before and after each call."""

    def __init__(self, storage: Storage, crash_at: int = 0) -> None:
        self._storage, self._crash_at = storage, crash_at
        self.steps = 0

    @property
    def location(self) -> str:
        return self._storage.location

    async def put(self, name: str, content: Path | bytes) -> None:
        self._step()
        await self._storage.put(name, content)
        self._step()

    async def read(self, name: str) -> AsyncGenerator[bytes, None]:
        self._step()
        async with aclosing(self._storage.read(name)) as chunks:
            async for chunk in chunks:
                yield chunk
        self._step()

    async def names(self, folder: str) -> list[str]:
        self._step()
        return await self._storage.names(folder)

    async def remove(self, name: str) -> None:
        await self._storage.remove(name)

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self._crash_at:
            os._exit(_CRASHED)


async def run_and_crash(url: str, folder: Path, day: date, step: int) -> None:
    """Archive a day in a process that dies at a step."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, url, str(folder), day.isoformat(), str(step)), cwd=ROOT
    )
    assert await process.wait() == _CRASHED


async def _archive(url: str, folder: str, day: str, step: str) -> None:
    storage = Counted(open_storage(folder, S3Access()), int(step))
    async with open_database(url) as database:
        await archive_days(database, storage, [date.fromisoformat(day)])


if __name__ == "__main__":
    asyncio.run(_archive(*sys.argv[1:]))
