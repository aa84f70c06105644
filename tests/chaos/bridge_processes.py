"""Bridge processes: started, killed, waited for. Each writes a log, which is part of every failure's message."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.chaos.size import TIMEOUT_SECONDS
from tests.support.copies import Call, Copy, start_with_log
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
_LAST_LINES = 30
_LINES_OF_A_KEY = 60


@dataclass(frozen=True)
class Addresses:
    """Where a bridge finds its servers."""

    amqp: str
    database: str
    temporal: str


@dataclass
class BridgeProcess:
    """One bridge process, from its start to its end."""

    process: Copy
    log: Path
    ready_file: Path

    @property
    def runs(self) -> bool:
        """Whether it is alive."""
        return self.process.returncode is None

    async def ready(self) -> None:
        """Wait until it consumes."""

        async def is_ready() -> bool:
            assert self.runs, self.log_excerpt()
            return self.ready_file.exists()

        await eventually(is_ready, TIMEOUT_SECONDS)

    async def died(self) -> None:
        """Wait until it has killed itself."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await self.process.wait()
        assert self.process.returncode == -signal.SIGKILL, self.log_excerpt()

    async def kill(self) -> None:
        """Kill it."""
        assert self.runs, self.log_excerpt()
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """Let it end in good order."""
        assert self.runs, self.log_excerpt()
        self.process.terminate()
        async with asyncio.timeout(TIMEOUT_SECONDS):
            assert await self.process.wait() == 0, self.log_excerpt()

    async def kill_if_running(self) -> None:
        """Kill it, if it still runs."""
        if self.runs:
            self.process.kill()
            await self.process.wait()

    def log_excerpt(self) -> str:
        """Return its exit code and the last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        return "\n".join([f"the bridge ended with {self.process.returncode}:", *lines])


@dataclass
class BridgeProcesses:
    """All bridges of one scenario."""

    addresses: Addresses
    task_queue: str
    folder: Path
    all: list[BridgeProcess] = field(default_factory=list)

    def through(self, **changed: str) -> BridgeProcesses:
        """Return bridges that find some of the servers elsewhere, at a proxy; all stay in one list."""
        return replace(self, addresses=replace(self.addresses, **changed))

    async def start(self, crash_at: str | None = None, crash_count: int = 1, *, bug: str = "none") -> BridgeProcess:
        """Start one, without waiting until it consumes."""
        name = f"bridge-{len(self.all) + 1}"
        log, ready = self.folder / f"{name}.log", self.folder / f"{name}.ready"
        crash = ("--crash-at", crash_at, "--crash-count", str(crash_count)) if crash_at else ()
        arguments = (*self._service_arguments(), *crash, "--bug", bug, "--ready", str(ready))
        process = await start_with_log(Call("tests.chaos.bridge_main", arguments, str(ROOT), dict(os.environ)), log)
        self.all.append(BridgeProcess(process, log, ready))
        return self.all[-1]

    async def started(self, *, bug: str = "none") -> BridgeProcess:
        """Start one, and wait until it consumes."""
        bridge = await self.start(bug=bug)
        await bridge.ready()
        return bridge

    def story(self, key: str) -> str:
        """Return what the bridges logged about a key."""
        lines = [
            f"  {number}: {line}"
            for number, bridge in enumerate(self.all, 1)
            for line in bridge.log.read_text(errors="replace").splitlines()
            if f"{key}-" in line or f"/{key}'" in line or "event" not in line
        ]
        return "\n".join([f"{key} in the logs:", *lines[-_LINES_OF_A_KEY:]])

    async def until(
        self, holds: Callable[[], Awaitable[bool]], *, progress: Callable[[], object] = lambda: None
    ) -> None:
        """Wait until it holds; a bridge that ended by itself ends the wait, and so does a standstill of `progress`."""

        async def holds_while_bridges_run() -> bool:
            for bridge in self.all:
                assert (bridge.process.returncode or 0) <= 0, bridge.log_excerpt()
            return await holds()

        await eventually(holds_while_bridges_run, TIMEOUT_SECONDS, progress=progress)

    async def one_says(self, text: str) -> None:
        """Wait until a bridge that is alive has logged this."""

        async def is_said() -> bool:
            return any(text in bridge.log.read_text(errors="replace") for bridge in self.running)

        await self.until(is_said)

    @property
    def running(self) -> Sequence[BridgeProcess]:
        """Those that are alive."""
        return [bridge for bridge in self.all if bridge.runs]

    def _service_arguments(self) -> tuple[str, ...]:
        addresses = self.addresses
        services = ("--amqp", addresses.amqp, "--database", addresses.database, "--temporal", addresses.temporal)
        return (*services, "--task-queue", self.task_queue)
