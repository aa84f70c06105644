"""Processes that are copies of one that has loaded the product already: the client of `fork_server`.

A copy is a process in every respect but its birth: signals, streams, environment, folder and exit code are its own, and
it dies with the tests. Where the start of the interpreter is what is tested, a fresh one is started instead.
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
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support import fork_server
from tests.support.processes import ROOT, measured, tied_to_us

_READ_AT_START = ("LANG", "LC_", "PYTHON")


@dataclass(frozen=True)
class Call:
    """What a copy does: it calls `main()` of a module, as `python -m` would."""

    module: str
    arguments: tuple[str, ...]
    folder: str
    environment: Mapping[str, str]


def can_be_a_copy(environment: Mapping[str, str]) -> bool:
    """Tell whether a copy behaves as a fresh process does: not where an interpreter is told something at its start."""
    return not any(name.startswith(_READ_AT_START) and name != "PYTHONPATH" for name in environment)


class Copy:
    """A process as `asyncio.subprocess.Process` shows one, without streams."""

    def __init__(self, pid: int, ended: asyncio.Task[int]) -> None:
        self.pid = pid
        self._ended = ended

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Wait for its end and return its exit code."""
        return await asyncio.shield(self._ended)

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if not self._ended.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


async def _start(call: Call, stdin: bytes, stdout: int, stderr: int) -> Copy:
    """Start a copy that prints to open files of the caller's."""
    told, answer = os.pipe()
    reader, transport = await _reader(told)
    given = _file_with(stdin)
    try:
        _FORK_SERVER.ask(json.dumps(asdict(call)).encode(), [given, stdout, stderr, answer])
    finally:
        os.close(answer)
        os.close(given)
    pid = int(await reader.readline())
    return Copy(pid, asyncio.create_task(_exit_code(reader, transport)))


async def start_with_log(call: Call, log: Path) -> Copy:
    """Start a copy that reads nothing and adds what it prints to a file."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        return await _start(call, b"", output, output)
    finally:
        os.close(output)


async def communicate(call: Call, stdin: bytes) -> tuple[int, str, str]:
    """Have a call carried out and return its exit code and what it printed; a cancelled caller kills it."""
    async with _printed_to() as (printing, printed), _printed_to() as (complaining, complained):
        try:
            copy = await _start(call, stdin, printing, complaining)
        finally:
            os.close(printing)
            os.close(complaining)
        try:
            texts = await asyncio.gather(printed.read(), complained.read())
            code = await copy.wait()
        except asyncio.CancelledError:
            copy.kill()
            raise
    out, err = (text.decode() for text in texts)
    return code, out, err


class _ForkServer:
    """The process that is copied: the first call starts it, and it ends with this process."""

    def __init__(self) -> None:
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: bytes, files: list[int]) -> None:
        assert len(request) <= fork_server.LONGEST_REQUEST, "too much for one message"
        socket.send_fds(self._opened(), [request], files)

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


_FORK_SERVER = _ForkServer()


def _file_with(content: bytes) -> int:
    """Return a file that exists in memory alone, at its beginning."""
    file = os.memfd_create("stdin")
    with open(file, "wb", closefd=False) as writing:
        writing.write(content)
    os.lseek(file, 0, os.SEEK_SET)
    return file


async def _exit_code(reader: asyncio.StreamReader, transport: asyncio.ReadTransport) -> int:
    try:
        return int(await reader.readline())
    finally:
        transport.close()


@asynccontextmanager
async def _printed_to() -> AsyncIterator[tuple[int, asyncio.StreamReader]]:
    """Make a pipe: the end to write to, which the caller closes, and the reader of the other end."""
    heard, said = os.pipe()
    reader, transport = await _reader(heard)
    try:
        yield said, reader
    finally:
        transport.close()


async def _reader(pipe: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(pipe, "rb", 0))
    return reader, transport
