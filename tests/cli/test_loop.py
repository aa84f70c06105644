"""How signals end a process: the first in order, the second whatever hangs."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.processes import ROOT
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.integration

SERVICE = """
import asyncio, sys, time
from cli import loop

def hold_up():
    time.sleep(1000)

async def hang():
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            pass

async def main(ending):
    try:
        print("ready", flush=True)
        await asyncio.sleep(1000)
    finally:
        print("closing", flush=True)
        if ending == "hangs":
            await hang()
        if ending == "blocks":
            hold_up()
        print("closed", flush=True)

loop.serve(main(sys.argv[1]))
"""


@asynccontextmanager
async def service(ending: str, *before: str) -> AsyncIterator[Process]:
    """Run a service that is ready, inside the block."""
    command = (*before, sys.executable, "-c", SERVICE, ending)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    try:
        await says(process, "ready")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def says(process: Process, word: str) -> None:
    """Wait until a service says this."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await process.stdout.readline()).decode().strip() == word


async def end_of(process: Process) -> tuple[int, str]:
    """Wait for the end of a service, and return its exit code and what it told last."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        _, told = await process.communicate()
    assert process.returncode is not None
    return process.returncode, told.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_first_signal_ends_a_service_in_order(number: signal.Signals) -> None:
    """What was opened is closed, and that is its ordinary end."""
    async with service("orderly", "env", "--default-signal=INT,HUP") as process:
        process.send_signal(number)
        await says(process, "closing")
        await says(process, "closed")
        assert await end_of(process) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("ending", ["hangs", "blocks"])
async def test_second_signal_ends_a_service_whatever_hangs(ending: str, number: signal.Signals) -> None:
    """Also where the loop itself is held up."""
    async with service(ending, "env", "--default-signal=INT,HUP") as process:
        process.send_signal(number)
        await says(process, "closing")
        process.send_signal(number)
        code, told = await end_of(process)
        assert (code, told) == (128 + number, "Ending at once: what is in hand is left as it is.\n")


async def test_service_that_is_to_outlive_its_terminal_does() -> None:
    """Under `nohup` SIGHUP is ignored, and stays so."""
    async with service("orderly", "env", "--ignore-signal=HUP") as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        await says(process, "closing")
        await says(process, "closed")
        assert await end_of(process) == (0, "")
