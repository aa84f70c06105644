"""Child processes: they stop when asked, when forgotten, and when we die."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from cli.stack.errors import ServiceFailedError
from cli.stack.folder import StateFolder
from cli.stack.process import Program, environment, running, start_time, stop_leftovers
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.integration

SLEEPER = "import time; print('here', flush=True); time.sleep(600)"


def program(code: str, stop_signal: signal.Signals = signal.SIGTERM) -> Program:
    """A child that runs some Python."""
    return Program("child", "The child", (sys.executable, "-c", code), environment(), stop_signal=stop_signal)


async def has_said(log: Path, word: str) -> bool:
    """Tell whether a word stands in a log yet."""
    return word in log.read_text()


def remember(folder: StateFolder, pid: int, started: int | None) -> None:
    """Write the pid file that an earlier stack would have left."""
    folder.pid_file("child").write_text(json.dumps({"pid": pid, "started": started, "stop_signal": signal.SIGTERM}))


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """A state folder."""
    return StateFolder.at(tmp_path)


async def test_child_stops_at_the_end_of_the_block(folder: StateFolder) -> None:
    """Inside the block it runs and its pid file says so; afterwards neither is there."""
    async with running(program(SLEEPER), folder) as child:
        remembered = json.loads(folder.pid_file("child").read_text())
        assert remembered == {"pid": child.process.pid, "started": start_time(child.process.pid), "stop_signal": 15}
    assert start_time(child.process.pid) is None
    assert not folder.pid_file("child").exists()


async def test_child_stops_when_the_block_fails(folder: StateFolder) -> None:
    """An error inside the block passes, and the child is gone."""
    with pytest.raises(RuntimeError, match="ours"):
        async with running(program(SLEEPER), folder) as child:
            raise RuntimeError("ours")
    assert start_time(child.process.pid) is None


async def test_child_that_forgets_a_signal_is_asked_again(folder: StateFolder) -> None:
    """A program that drops the first signal, as Erlang does while it boots, ends by the second, not by force."""
    code = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)))
print("here", flush=True)
time.sleep(600)
"""
    async with running(program(code), folder) as child:
        await child.ready(lambda: has_said(child.log, "here"), timedelta(seconds=30))
    assert child.process.returncode == 7


async def test_ready_waits_for_the_probe(folder: StateFolder) -> None:
    """The wait ends when the child has done what the probe looks for."""
    async with running(program(SLEEPER), folder) as child:
        await child.ready(lambda: has_said(child.log, "here"), timedelta(seconds=30))


async def test_child_that_ends_early_is_explained(folder: StateFolder) -> None:
    """The error names the part, its exit code, its log, and the last lines in it."""
    with pytest.raises(ServiceFailedError) as caught:
        async with running(program("import sys; sys.exit('no room on the disk')"), folder) as child:
            await child.ready(lambda: has_said(child.log, "never"), timedelta(seconds=30))
    for expected in ("The child", "exit code 1", str(folder.log("child")), "no room on the disk"):
        assert expected in str(caught.value)


async def test_child_that_is_never_ready_is_explained(folder: StateFolder) -> None:
    """The error names how long was waited."""
    with pytest.raises(ServiceFailedError, match="not ready after 0 s"):
        async with running(program(SLEEPER), folder) as child:
            await child.ready(lambda: has_said(child.log, "never"), timedelta(seconds=0))


async def test_leftover_is_stopped_by_the_next_start(folder: StateFolder) -> None:
    """A child of a stack that is gone is ended before its successor starts."""
    leftover = await asyncio.create_subprocess_exec(sys.executable, "-c", SLEEPER, stdout=asyncio.subprocess.DEVNULL)
    remember(folder, leftover.pid, start_time(leftover.pid))
    async with running(program(SLEEPER), folder) as child:
        assert await leftover.wait() == -signal.SIGTERM
        assert child.process.pid != leftover.pid


async def test_other_process_with_the_same_id_is_left_alone(folder: StateFolder) -> None:
    """An id that now means another process, as its start time tells, is not signalled."""
    remember(folder, os.getpid(), 1)
    await stop_leftovers(folder)
    assert folder.pid_files() == []


@pytest.mark.parametrize("content", ["", "{}", '{"pid": "x"}', '{"pid": 99999999, "started": 1, "stop_signal": 15}'])
async def test_useless_pid_file_is_removed(folder: StateFolder, content: str) -> None:
    """A pid file that names no process is cleared away."""
    folder.pid_file("child").write_text(content)
    await stop_leftovers(folder)
    assert folder.pid_files() == []


async def parent_and_child(folder: StateFolder, path: str) -> tuple[asyncio.subprocess.Process, int]:
    """Start a process that runs a child, and return it with the child's id."""
    code = f"""
import asyncio
from tests.cli.stack.test_process import SLEEPER, program
from cli.stack.folder import StateFolder
from cli.stack.process import running
from pathlib import Path

async def main():
    async with running(program(SLEEPER), StateFolder.at(Path({str(folder.path)!r}))) as child:
        print(child.process.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PATH": path}
    )
    assert parent.stdout is not None
    return parent, int(await parent.stdout.readline())


async def ends(child: int) -> None:
    """Wait until a process that is not ours ended."""
    handle, ended = os.pidfd_open(child), asyncio.Event()
    asyncio.get_running_loop().add_reader(handle, ended.set)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await ended.wait()
    asyncio.get_running_loop().remove_reader(handle)
    os.close(handle)


async def test_child_dies_with_us(folder: StateFolder) -> None:
    """When the process that started it is killed, the kernel stops the child."""
    parent, child = await parent_and_child(folder, os.environ["PATH"])
    parent.kill()
    await asyncio.gather(parent.wait(), ends(child))


async def test_child_does_not_outlive_us_by_being_late(folder: StateFolder, tmp_path: Path) -> None:
    """We may be killed before the child asked the kernel for its signal: then it does not begin."""
    late = tmp_path / "setpriv"
    late.write_text(f'#!/bin/sh\nwhile kill -0 "$PPID"; do sleep 0.05; done\nexec {shutil.which("setpriv")} "$@"\n')
    late.chmod(0o755)
    parent, child = await parent_and_child(folder, f"{tmp_path}:{os.environ['PATH']}")
    parent.kill()
    await asyncio.gather(parent.wait(), ends(child))
    assert "here" not in folder.log("child").read_text()


async def test_large_log_is_put_aside(folder: StateFolder) -> None:
    """A log that has grown large is kept once, and a new one is begun."""
    folder.log("child").write_bytes(b"x" * 5_000_001)
    async with running(program(SLEEPER), folder) as child:
        await child.ready(lambda: has_said(child.log, "here"), timedelta(seconds=30))
    assert folder.log("child").stat().st_size < 1_000
    assert (folder.path / "logs" / "child.log.1").stat().st_size == 5_000_001
