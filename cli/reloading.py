"""Takes changed definitions into a running system, so that who writes one need not restart it.

The folder is looked at each second; a change counts once it has been still for a look, so that a file is not read
half-written. What does not compile, or would change a deployed version, is told once and the old definitions stay.
Runs that are on their way keep their version: one whose version is gone waits until it is there again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cli.bus import BusFiles, bus_files, read_bus_files
from cli.connections import temporal_errors
from cli.definitions import compile_files, definition_files, show_diagnostics
from cli.deployment import Deployed, deploy
from cli.system import System
from contracts.errors import SagaError
from workflows.language.library import Library

Look = frozenset[tuple[str, int, int]]
_EVERY_SECONDS = 1.0


@asynccontextmanager
async def reloading(
    system: System, folder: Path, seen: Look, task_queue: str, tell: Callable[[str], None]
) -> AsyncIterator[None]:
    """Keep the definitions of a system up to date inside the block.

    Args:
        system: Its definitions are replaced.
        folder: Where they are.
        seen: The look from before `system` got its definitions, so that no change since then is missed.
        task_queue: The owner of the schedules.
        tell: Takes a line about each change, or why it was not taken.
    """
    task = asyncio.create_task(_Reloading(system, folder, task_queue, tell).go_on(seen))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def look_at(folder: Path) -> Look:
    """Return what tells whether a definition was changed: names, times and sizes of the files."""
    try:
        return frozenset((str(file), *_stamp(file)) for file in (*definition_files(folder), *bus_files(folder)))
    except (SagaError, OSError):
        # The folder is being replaced.
        return frozenset()


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_mtime_ns, status.st_size


@dataclass(frozen=True)
class _Reloading:
    system: System
    folder: Path
    task_queue: str
    tell: Callable[[str], None]

    async def go_on(self, seen: Look) -> None:
        taken = last = seen
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            now = look_at(self.folder)
            if now == last != taken:
                taken = now
                await self._take()
            last = now

    async def _take(self) -> None:
        try:
            library, bus = await asyncio.to_thread(self._read)
            if library is not None:
                self.tell(_sentence(await self._deploy(library)))
                self.system.current.bus = bus
        except SagaError as error:
            self.tell(f"The old definitions stay: {error}")

    def _read(self) -> tuple[Library | None, BusFiles]:
        return self._compiled(), read_bus_files(self.folder)

    def _compiled(self) -> Library | None:
        compilation = compile_files([self.folder])
        show_diagnostics(compilation)
        if compilation.library is None:
            self.tell("The old definitions stay: these have errors.")
        return compilation.library

    async def _deploy(self, library: Library) -> Deployed:
        before, system = self.system.current.library, self.system
        with temporal_errors(system.addresses.temporal):
            deployed = await deploy(system.database, system.client, library, self.task_queue)
        system.current.library = library
        known = {(each.id, each.version) for each in before.all()}
        new = (each for each in deployed.versions if (each.definition.id, each.definition.version) not in known)
        return replace(deployed, versions=tuple(new))


def _sentence(deployed: Deployed) -> str:
    names = ", ".join(f"{each.definition.id} {each.definition.version}" for each in deployed.versions)
    changes = [f"{each.id} {each.change}" for each in deployed.schedules if each.change != "unchanged"]
    added = f"new here: {names}" if names else "no new version"
    return f"Definitions loaded again ({added}{'; schedules: ' if changes else ''}{', '.join(changes)})."
