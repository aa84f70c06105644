"""What is measured, in a process of its own: its CPU is then its own, without the load generator's and the servers'.

Such a process is told things as JSON lines on stdin and answers each with one on stdout; it ends when stdin is closed.
Both ends are here.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

_LONGEST_ANSWER_SECONDS = 900


class ChildProcess:
    """A process that is measured, as the benchmark sees it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        """Talk to a process that has just begun."""
        self._process, self._log = process, log

    async def tell(self, what: Any) -> None:
        """Send one line."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        await self._process.stdin.drain()

    async def answer(self) -> dict[str, Any]:
        """Wait for one line."""
        assert self._process.stdout is not None
        async with asyncio.timeout(_LONGEST_ANSWER_SECONDS):
            line = await self._process.stdout.readline()
        if not line:
            raise SystemExit(f"A process that is measured has ended:\n{self._log.read_text()[-4000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@asynccontextmanager
async def child_process(module: str, name: str, folder: Path) -> AsyncIterator[ChildProcess]:
    """Run `python -m module name` inside the block; what it writes to stderr comes into a file in `folder`."""
    log = folder / f"{name}-{uuid.uuid4().hex[:6]}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, name),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=2**24,
        )
    try:
        yield ChildProcess(process, log)
    finally:
        process.kill()
        await process.wait()


async def lines_from_stdin() -> asyncio.StreamReader:
    """Return what the benchmark tells this process."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def say(what: dict[str, Any]) -> None:
    """Answer the benchmark."""
    print(json.dumps(what), flush=True)


def resident_kilobytes() -> float:
    """Return the memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024
