"""The product's processes as an operator runs them: started, killed with SIGKILL, started again; and the CLIs.

A process writes to a log file, because its pipes are not read; the log is part of every failure's message. Only
processes that were started here are ended, by their own handles.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import sysconfig
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.command_line import measured
from tests.support.processes import tied_to_us
from tests.support.waiting import PATIENCE_SECONDS, eventually

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "definitions"
_READY = {"worker": "Worker on task queue", "bridge": "Bridge consumes events"}
_SAGA = (sys.executable, "-m", "cli.main")
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

    async def saga(self, *arguments: str) -> CommandResult:
        """Call `saga`."""
        return await run_command(self, *_SAGA, *arguments)

    async def start_saga(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start a `saga` command; the caller ends it."""
        devnull = asyncio.subprocess.DEVNULL
        command, around = (*tied_to_us(), *_SAGA, *arguments), self.environment()
        return await asyncio.create_subprocess_exec(
            *command, cwd=self.folder, env=around, stdin=devnull, stdout=devnull, stderr=devnull
        )

    async def temporal_cli(self, *arguments: str) -> CommandResult:
        """Call Temporal's own command line, with JSON output."""
        return await run_command(self, str(Path(sysconfig.get_path("scripts"), "temporal")), *arguments, "-o", "json")


@dataclass(frozen=True)
class CommandResult:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document that the command printed."""
        assert self.code == 0, self
        return json.loads(self.out)


async def run_command(settings: ProcessSettings, *command: str) -> CommandResult:
    """Run a command to its end."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, cwd=settings.folder, env=settings.environment(), stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return CommandResult(process.returncode, out.decode(), err.decode())


@dataclass
class Service:
    """`saga worker` or `saga bridge` in a process of its own."""

    settings: ProcessSettings
    command: str
    name: str = ""
    process: asyncio.subprocess.Process | None = field(default=None, init=False)

    @property
    def log(self) -> Path:
        """Its output, over all restarts."""
        return self.settings.folder / f"{self.name or self.command}.log"

    async def start(self) -> None:
        """Start it, and wait until it logs that it is ready."""
        with self.log.open("ab") as output:
            begin = output.tell()
            self.process = await asyncio.create_subprocess_exec(
                *(*tied_to_us(), *_SAGA, self.command),
                cwd=self.settings.folder,
                env=self.settings.environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
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
