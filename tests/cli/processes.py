"""Runs `saga` as a user does: a process of its own, with an environment and a folder of its own."""

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

ROOT = Path(__file__).resolve().parents[2]
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
        async with self.running(*arguments) as process:
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Finished(process.returncode, out.decode(), err.decode())

    @asynccontextmanager
    async def running(
        self, *arguments: str, stdout: int = asyncio.subprocess.PIPE, stderr: int = asyncio.subprocess.PIPE
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """Call `saga`; it is killed where it outlives the block."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", *arguments),
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(ROOT), **self.environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def until_line(process: asyncio.subprocess.Process, text: str, *, on_stderr: bool = False) -> list[str]:
    """Read what a process prints until a line holds `text`, and return all lines so far."""
    stream = process.stderr if on_stderr else process.stdout
    assert stream is not None
    lines: list[str] = []
    async with asyncio.timeout(120):
        while line := (await stream.readline()).decode():
            lines.append(line)
            if text in line:
                return lines
    raise AssertionError(f"{text!r} was never printed, but:\n{''.join(lines)}")
