"""Runs `saga` as a user does: with an environment and a folder of its own, real pipes and a real exit code.

`Shell.saga` has a call carried out by a copy of a process that has loaded `saga` already (`fork_server`); `running`
starts a fresh interpreter: for commands that serve, that are interrupted, or whose start is what is tested.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import fork_server
from tests.support.processes import ROOT, tied_to_us
from tests.support.waiting import PATIENCE_SECONDS

MEASURING = "COVERAGE_"
"""How the variables begin by which coverage measures a process."""

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
        call = {"arguments": arguments, "folder": str(self.folder), "environment": self._whole_environment()}
        request = json.dumps(call).encode()
        if fork_server.can_carry_out(request, self.environment):
            return await _FORK_SERVER.finished(request, stdin.encode())
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


def measured() -> dict[str, str]:
    """Return what a Python process must be told so that coverage counts it; nothing where coverage is not running."""
    return {name: value for name, value in os.environ.items() if name.startswith(MEASURING)}


class ForkServer:
    """The client of `fork_server`, which is started by the first call and ends with this process."""

    def __init__(self) -> None:
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    async def finished(self, request: bytes, stdin: bytes) -> Finished:
        """Have a call carried out, and wait for its end; it is killed where the caller is cancelled."""
        (heard, out), (said, err), (told, answer) = os.pipe(), os.pipe(), os.pipe()
        given = _file_with(stdin)
        socket.send_fds(self._opened(), [request], [given, out, err, answer])
        for theirs in (given, out, err, answer):
            os.close(theirs)
        async with _reader(told) as answers, _reader(heard) as printed, _reader(said) as complained:
            child = int(await answers.readline())
            try:
                texts = await asyncio.gather(printed.read(), complained.read())
                code = int(await answers.readline())
            except asyncio.CancelledError:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                raise
        return Finished(code, *(text.decode() for text in texts))

    def _opened(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - ours
                    [*tied_to_us(), sys.executable, "-m", fork_server.__name__, str(theirs.fileno())],
                    cwd=ROOT,
                    env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(ROOT), **measured()},
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                )
        return self._control


_FORK_SERVER = ForkServer()


def _file_with(content: bytes) -> int:
    """Return a file that exists in memory alone, at its beginning."""
    file = os.memfd_create("stdin")
    with open(file, "wb", closefd=False) as writing:
        writing.write(content)
    os.lseek(file, 0, os.SEEK_SET)
    return file


@asynccontextmanager
async def _reader(pipe: int) -> AsyncIterator[asyncio.StreamReader]:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(pipe, "rb", 0))
    try:
        yield reader
    finally:
        transport.close()


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
