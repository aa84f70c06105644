"""Child processes that never outlive their purpose.

A child leads its own session, so that Ctrl-C in the terminal reaches only us and we stop it in order. It asks the
kernel (through `setpriv`, where that exists) for its stop signal when we die, so that even SIGKILL leaves nothing
running, and does not begin when we died before it asked; and a file with its id and start time lets the next start
find one that is left all the same. Such a one is signalled only through a handle to the very process, after its start
time showed that the id still means the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cli.stack.account import Account
from cli.stack.errors import ServiceFailedError
from cli.stack.folder import StateFolder

_POLL_SECONDS = 0.05
_PATIENCE = timedelta(seconds=20)
_ASK_AGAIN = timedelta(seconds=1)
_LOG_BYTES = 5_000_000
_UNLESS_ORPHANED = '[ "$PPID" = "$0" ] && exec "$@"'


@dataclass(frozen=True)
class Program:
    """A program to run for as long as the stack runs.

    Attributes:
        name: Names its log and its pid file.
        part: The part of the stack it belongs to, as shown to people.
        argv: The program's absolute path and its arguments.
        environment: All of its environment; nothing is inherited.
        account: The user to run as; None means our own.
        stop_signal: Asks it to stop in good order.
    """

    name: str
    part: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM


@dataclass(frozen=True)
class Child:
    """A program that runs, and where it logs."""

    program: Program
    process: asyncio.subprocess.Process
    log: Path

    async def ready(self, probe: Callable[[], Awaitable[bool]], within: timedelta) -> None:
        """Wait until the probe is true.

        Raises:
            ServiceFailedError: The program ended, or the time was over, before the probe was true.
        """
        deadline = asyncio.get_running_loop().time() + within.total_seconds()
        while not await probe():
            if self.process.returncode is not None:
                raise self._failed(f"ended with exit code {self.process.returncode} while starting")
            if asyncio.get_running_loop().time() > deadline:
                raise self._failed(f"was not ready after {within.total_seconds():.0f} s")
            await asyncio.sleep(_POLL_SECONDS)

    async def ended(self) -> ServiceFailedError:
        """Wait until the program ends, which nobody has asked it to, and return the error that says so."""
        code = await self.process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return self._failed(how)

    def _failed(self, reason: str) -> ServiceFailedError:
        return ServiceFailedError.of(self.program.part, reason, self.log)


async def first_end(*children: Child) -> ServiceFailedError:
    """Wait until one of some children ends, which nobody has asked it to, and return the error that says so."""
    tasks = [asyncio.ensure_future(child.ended()) for child in children]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()


def environment(**extra: str) -> dict[str, str]:
    """Return what a child may know: the search path, a neutral locale, and what is named here."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **extra}


@asynccontextmanager
async def running(program: Program, folder: StateFolder) -> AsyncIterator[Child]:
    """Run a program inside the block, after stopping one that an earlier, killed stack left behind."""
    await stop_leftover(folder.pid_file(program.name))
    log = folder.log(program.name)
    process = await _spawn(program, log)
    _remember(folder.pid_file(program.name), process.pid, program.stop_signal)
    try:
        yield Child(program, process, log)
    finally:
        if process.returncode is not None:
            # It died by itself: what it started must not be in the way of the next.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        await _stop(process, program.stop_signal)
        folder.pid_file(program.name).unlink(missing_ok=True)


async def stop_leftovers(folder: StateFolder) -> None:
    """Stop all that an earlier stack of this folder left running; its ports are free afterwards."""
    await asyncio.gather(*(stop_leftover(pid_file) for pid_file in folder.pid_files()))


async def stop_leftover(pid_file: Path) -> None:
    """Stop the process that a pid file remembers, if it still is that process."""
    if remembered := _remembered(pid_file):
        with suppress(ProcessLookupError), _handle(remembered.pid) as handle:
            if start_time(remembered.pid) == remembered.started:
                await _stop_foreign(handle, remembered.stop_signal)
    pid_file.unlink(missing_ok=True)


def start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None when it is gone (or only waits to be reaped)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


async def _spawn(program: Program, log: Path) -> asyncio.subprocess.Process:
    with _opened(log) as output:
        return await asyncio.create_subprocess_exec(
            *_tied_to_us(program),
            *program.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(program.environment),
            start_new_session=True,
            **(program.account.as_arguments() if program.account else {}),
        )


def _opened(log: Path) -> BinaryIO:
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    output = log.open("ab")
    output.write(f"-- started at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())
    output.flush()
    return output


def _tied_to_us(program: Program) -> tuple[str, ...]:
    setpriv = shutil.which("setpriv")
    death_signal = program.stop_signal.name.removeprefix("SIG")
    checked = ("/bin/sh", "-c", _UNLESS_ORPHANED, str(os.getpid()))
    return (setpriv, "--pdeathsig", death_signal, *checked) if setpriv else ()


async def _stop(process: asyncio.subprocess.Process, stop_signal: signal.Signals) -> None:
    def send() -> None:
        if process.returncode is None:
            process.send_signal(stop_signal)

    if not await _stopped(send, process.wait):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _stop_foreign(handle: int, stop_signal: signal.Signals) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(handle, ended.set)
    try:
        if not await _stopped(lambda: signal.pidfd_send_signal(handle, stop_signal), ended.wait):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(handle)


async def _stopped(ask: Callable[[], None], ended: Callable[[], Awaitable[object]]) -> bool:
    """Ask until the process ended or our patience does: Erlang forgets a signal that comes while it boots."""
    for _ in range(_PATIENCE // _ASK_AGAIN):
        with suppress(ProcessLookupError):
            ask()
        with suppress(TimeoutError):
            async with asyncio.timeout(_ASK_AGAIN.total_seconds()):
                await ended()
            return True
    return False


@contextmanager
def _handle(pid: int) -> Iterator[int]:
    handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        os.close(handle)


def _remember(pid_file: Path, pid: int, stop_signal: signal.Signals) -> None:
    pid_file.write_text(json.dumps({"pid": pid, "started": start_time(pid), "stop_signal": stop_signal}))


class _Remembered(NamedTuple):
    pid: int
    started: int
    stop_signal: signal.Signals


def _remembered(pid_file: Path) -> _Remembered | None:
    try:
        saved = json.loads(pid_file.read_text())
        return _Remembered(int(saved["pid"]), int(saved["started"]), signal.Signals(saved["stop_signal"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
