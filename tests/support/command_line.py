"""Runs `saga` as a user does: with an environment and a folder of its own, real pipes and a real exit code.

`Shell.saga` has a call carried out by a copy of a process that has loaded `saga` already (`copies`); `running`
starts a fresh interpreter: for commands that serve, that are interrupted, or whose start is what is tested.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.copies import Call, can_be_a_copy, communicate
from tests.support.processes import ROOT, measured, tied_to_us
from tests.support.waiting import PATIENCE_SECONDS

CLOSED = "127.0.0.1:1"
"""An address at which nothing answers."""


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document that the command printed."""
        assert self.out, self
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """Where commands are called: a folder and an environment."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def with_environment(self, **extra: str) -> Shell:
        """Return a shell with more variables."""
        return Shell(self.folder, {**self.environment, **extra})

    def write(self, name: str, text: str) -> Path:
        """Write a file of the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    async def saga(self, *arguments: str, stdin: str = "") -> Finished:
        """Call `saga` and wait for its end."""
        if can_be_a_copy(self.environment):
            call = Call("cli.main", arguments, str(self.folder), self._whole_environment())
            return Finished(*await communicate(call, stdin.encode()))
        async with self.running(*arguments) as process:
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Finished(process.returncode, out.decode(), err.decode())

    @asynccontextmanager
    async def running(
        self, *arguments: str, stdout: int = asyncio.subprocess.PIPE, stderr: int = asyncio.subprocess.PIPE
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """Call `saga` in a fresh interpreter; it is killed where it outlives the block."""
        process = await asyncio.create_subprocess_exec(
            *(*tied_to_us(), sys.executable, "-m", "cli.main", *arguments),
            cwd=self.folder,
            env=self._whole_environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                # A wait alone never ends where more was printed than anybody has read.
                await process.communicate()

    def _whole_environment(self) -> dict[str, str]:
        own = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(ROOT)}
        return {**own, **measured(), **self.environment}


async def until_line(process: asyncio.subprocess.Process, text: str, *, on_stderr: bool = False) -> list[str]:
    """Read what a process prints until a line holds `text`, and return all lines so far."""
    stream = process.stderr if on_stderr else process.stdout
    assert stream is not None
    lines: list[str] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while line := (await stream.readline()).decode():
            lines.append(line)
            if text in line:
                return lines
    raise AssertionError(f"{text!r} was never printed, but:\n{''.join(lines)}")
