"""A test that hangs fails alone and is named, and nothing that a run started outlives it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ROOT, measured, tied_to_us
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

HANGING = {
    "waits": "async def test_waits():\n    await asyncio.Event().wait()\n",
    "blocks": "def test_blocks():\n    threading.Event().wait()\n",
    "native": "def test_native():\n    ctypes.PyDLL(None).pause()\n",
}
"""Tests that never end: one for each net. The last keeps the interpreter's lock, so that no Python code can run."""

HELD = """
async def test_holds(time_skipping, s3_server, shell_for_all):
    assert (await shell_for_all.saga("--version")).code == 0
    (Path(os.environ["SAID"]) / "holds").touch()
    await asyncio.Event().wait()
"""
_IMPORTS = "import asyncio, ctypes, os, threading\nfrom pathlib import Path\nimport pytest\n\n"
_SHELL = """
from tests.support.command_line import Shell

@pytest.fixture
def shell_for_all(tmp_path):
    return Shell(tmp_path)
"""
_INTERRUPTIBLE = ("env", "--default-signal=INT")
"""A run in the background has SIGINT ignored, and its children inherit that."""
_LIMITS = {"coroutine_timeout": 2, "timeout": 4, "faulthandler_timeout": 7}


def started(folder: Path, text: str, **limits: int) -> subprocess.Popen[str]:
    """Begin to run these tests as the suite is run, with short limits."""
    file = folder / "test_inner.py"
    file.write_text(_IMPORTS + text)
    options = [f"--override-ini={name}={value}" for name, value in limits.items()]
    return subprocess.Popen(  # noqa: S603 - ours
        [
            *_INTERRUPTIBLE,
            *tied_to_us(),
            sys.executable,
            "-m",
            "pytest",
            "-n2",
            f"--rootdir={ROOT}",
            "-c",
            "pyproject.toml",
            *options,
            file,
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "SAID": str(folder), **measured()},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_hanging_tests_fail_alone_and_are_named(tmp_path: Path) -> None:
    """The others pass, and the run ends by itself with the names of those that hung."""
    others = "".join(f"def test_other_{number}(): pass\n" for number in range(6))
    output, _ = started(tmp_path, others + "".join(HANGING.values()), **_LIMITS).communicate()
    assert "3 failed, 6 passed" in output, output
    for kind in HANGING:
        assert re.search(rf"^FAILED \S*::test_{kind}\b", output, re.MULTILINE), output


@pytest.fixture
def holding(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in which servers and a fork server are up, and a test that never ends."""
    process = started(tmp_path, _SHELL + HELD)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=lambda how: how.name)
async def test_nothing_is_left_behind_however_the_run_ends(
    holding: subprocess.Popen[str], tmp_path: Path, how: signal.Signals
) -> None:
    """Servers, workers and the copies of `saga` end with the run, also where it is killed."""

    async def holds() -> bool:
        assert holding.poll() is None, holding.communicate()[0]
        return (tmp_path / "holds").exists()

    await eventually(holds)
    children = descendants(holding.pid)
    assert len(children) >= 6, "workers, the owner of the servers, S3, the server that skips time, a fork server"
    if how == signal.SIGINT:
        os.killpg(holding.pid, how)  # as a terminal does, which sends it to all
    else:
        holding.send_signal(how)

    async def are_gone() -> bool:
        return not [pid for pid, started in children.items() if started_at(pid) == started]

    await eventually(are_gone)


def descendants(pid: int) -> dict[int, str]:
    """Return the processes below one, each with the moment of its start, which tells it from a later one."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if fields := _fields(int(folder.name)):
            parents[int(folder.name)] = int(fields[1])
    found: dict[int, str] = {}
    below = {pid}
    while below:
        below = {child for child, parent in parents.items() if parent in below}
        found |= {child: started_at(child) or "" for child in below}
    return found


def started_at(pid: int) -> str | None:
    """Return when a process began; None where it is gone."""
    fields = _fields(pid)
    return fields[19] if fields and fields[0] not in "ZX" else None


def _fields(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
