"""The product's processes as an operator runs them: started, killed with SIGKILL, started again; and the CLIs.

A process writes to a log file, because its pipes are not read; the log is part of every failure's message. Only
processes that were started here are ended, by their own handles.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sysconfig
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.command_line import Finished, Shell
from tests.support.copies import Call, Copy, start_with_log
from tests.support.processes import measured
from tests.support.waiting import PATIENCE_SECONDS, eventually

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "definitions"
_READY = {"worker": "Worker on task queue", "bridge": "Bridge consumes events"}
_READY_TIMEOUT_SECONDS = PATIENCE_SECONDS


@dataclass(frozen=True)
class ProcessSettings:
    """What a process runs with: the services, the task queue, the definitions, and a folder for their logs."""

    folder: Path
    temporal: str
    database_url: str
    amqp_url: str
    task_queue: str
    definitions: Path = SHIPPED
    prefetch: int = 50
    extra: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the environment variables of a process."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT),
            **measured(),
            "TEMPORAL_ADDRESS": self.temporal,
            "SAGA_DATABASE_URL": self.database_url,
            "SAGA_AMQP_URL": self.amqp_url,
            "SAGA_TASK_QUEUE": self.task_queue,
            "SAGA_DEFINITIONS": str(self.definitions),
            "SAGA_PREFETCH": str(self.prefetch),
            "SAGA_STATE_DIR": str(self.folder / "state"),
            **self.extra,
        }

    async def saga(self, *arguments: str) -> Finished:
        """Call `saga`."""
        return await Shell(self.folder, self.environment()).saga(*arguments)

    async def start_saga(self, *arguments: str, log: Path = Path(os.devnull)) -> Copy:
        """Start a `saga` command that adds what it prints to a file; the caller ends it."""
        return await start_with_log(Call("cli.main", arguments, str(self.folder), self.environment()), log)

    async def temporal_cli(self, *arguments: str) -> Finished:
        """Call Temporal's own command line, with JSON output."""
        program, pipe = str(Path(sysconfig.get_path("scripts"), "temporal")), asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(program, *arguments, "-o", "json"),
            cwd=self.folder,
            env=self.environment(),
            stdout=pipe,
            stderr=pipe,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Finished(process.returncode, out.decode(), err.decode())


@dataclass
class Service:
    """`saga worker` or `saga bridge` in a process of its own."""

    settings: ProcessSettings
    command: str
    name: str = ""
    process: Copy | None = field(default=None, init=False)

    @property
    def log(self) -> Path:
        """Its output, over all restarts."""
        return self.settings.folder / f"{self.name or self.command}.log"

    async def start(self) -> None:
        """Start it, and wait until it logs that it is ready."""
        begin = self.log.stat().st_size if self.log.exists() else 0
        self.process = await self.settings.start_saga(self.command, log=self.log)
        await eventually(lambda: self._is_ready(begin), _READY_TIMEOUT_SECONDS)

    async def kill(self) -> None:
        """End it by SIGKILL."""
        assert self.process is not None
        self.process.kill()
        assert await self.process.wait() == -signal.SIGKILL, self.log.read_text()

    async def stop(self) -> None:
        """End it by SIGTERM, as an operator does."""
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    async def _is_ready(self, begin: int) -> bool:
        assert self.process is not None
        said = self.log.read_bytes()[begin:].decode()
        assert self.process.returncode is None, f"`saga {self.command}` ended:\n{said}"
        return _READY[self.command] in said


@asynccontextmanager
async def running(settings: ProcessSettings, command: str, name: str = "") -> AsyncIterator[Service]:
    """Run `saga worker` or `saga bridge` inside the block; `name` distinguishes a second one."""
    service = Service(settings, command, name)
    try:
        await service.start()
        yield service
    finally:
        await service.stop()


@asynccontextmanager
async def running_both(settings: ProcessSettings) -> AsyncIterator[tuple[Service, Service]]:
    """Run `saga worker` and `saga bridge` inside the block, started side by side."""
    worker, bridge = Service(settings, "worker"), Service(settings, "bridge")
    try:
        await asyncio.gather(worker.start(), bridge.start())
        yield worker, bridge
    finally:
        await asyncio.gather(worker.stop(), bridge.stop())
