"""Bridge processes: started, killed, waited for. Each writes a log, which is part of every failure's message."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.acceptance.processes import _tied_to_us
from tests.bridge.waiting import eventually
from tests.chaos.size import PATIENCE

ROOT = Path(__file__).parents[2]
_LAST_LINES = 30


@dataclass(frozen=True)
class Addresses:
    """Where a bridge finds its servers."""

    amqp: str
    database: str
    temporal: str


@dataclass
class BridgeProcess:
    """One bridge, for one life."""

    process: asyncio.subprocess.Process
    log: Path
    ready_file: Path

    @property
    def runs(self) -> bool:
        """Whether it is alive."""
        return self.process.returncode is None

    async def ready(self) -> None:
        """Wait until it consumes."""

        async def is_ready() -> bool:
            assert self.runs, self.story()
            return self.ready_file.exists()

        await eventually(is_ready, PATIENCE)

    async def died(self) -> None:
        """Wait until it has killed itself."""
        async with asyncio.timeout(PATIENCE):
            await self.process.wait()
        assert self.process.returncode == -signal.SIGKILL, self.story()

    async def kill(self) -> None:
        """Kill it."""
        assert self.runs, self.story()
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """Let it end in good order."""
        assert self.runs, self.story()
        self.process.terminate()
        async with asyncio.timeout(60):
            assert await self.process.wait() == 0, self.story()

    async def drop(self) -> None:
        """End it however it stands."""
        if self.runs:
            self.process.kill()
            await self.process.wait()

    def story(self) -> str:
        """Return how it ended and its last words."""
        lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        return "\n".join([f"the bridge ended with {self.process.returncode}:", *lines])


@dataclass
class Bridges:
    """All bridges of one scenario."""

    addresses: Addresses
    task_queue: str
    folder: Path
    all: list[BridgeProcess] = field(default_factory=list)

    def through(self, **changed: str) -> Bridges:
        """Return bridges that find some of the servers elsewhere, at a proxy; all stay in one list."""
        return replace(self, addresses=replace(self.addresses, **changed))

    async def start(self, crash_at: str | None = None, crash_count: int = 1, *, plant: str = "none") -> BridgeProcess:
        """Start one, without waiting until it consumes."""
        name = f"bridge-{len(self.all) + 1}"
        log, ready = self.folder / f"{name}.log", self.folder / f"{name}.ready"
        crash = ("--crash-at", crash_at, "--crash-count", str(crash_count)) if crash_at else ()
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(*_tied_to_us(), sys.executable, "-m", "tests.chaos.process", *self._where(), *crash),
                *("--plant", plant, "--ready", str(ready)),
                cwd=ROOT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.all.append(BridgeProcess(process, log, ready))
        return self.all[-1]

    async def started(self, *, plant: str = "none") -> BridgeProcess:
        """Start one, and wait until it consumes."""
        bridge = await self.start(plant=plant)
        await bridge.ready()
        return bridge

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait until it holds; a bridge that ended by itself ends the wait."""

        async def holds_while_they_live() -> bool:
            for bridge in self.all:
                assert (bridge.process.returncode or 0) <= 0, bridge.story()
            return await holds()

        await eventually(holds_while_they_live, PATIENCE)

    @property
    def running(self) -> Sequence[BridgeProcess]:
        """Those that are alive."""
        return [bridge for bridge in self.all if bridge.runs]

    def _where(self) -> tuple[str, ...]:
        where = self.addresses
        services = ("--amqp", where.amqp, "--database", where.database, "--temporal", where.temporal)
        return (*services, "--task-queue", self.task_queue)
