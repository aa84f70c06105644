"""Runs a command's coroutine, with an orderly end on Ctrl-C and SIGTERM.

Both cancel the coroutine, so that every `async with` closes what it opened before the process leaves. A second
Ctrl-C while it closes is not needed and is ignored: closing has time limits of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _InterruptedError(Exception):
    """A signal ended the coroutine. (KeyboardInterrupt inside a task would break out of the event loop.)"""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end and return its result.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM ended it; everything that it opened is closed.
    """
    with asyncio.Runner() as runner:
        try:
            return runner.run(_interruptible(main))
        except _InterruptedError:
            raise KeyboardInterrupt from None


def serve(main: Coroutine[Any, Any, None]) -> None:
    """Run a service until a signal ends it, which is its ordinary end."""
    with contextlib.suppress(KeyboardInterrupt):
        run(main)


async def _interruptible(main: Coroutine[Any, Any, T]) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(main)
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        if interrupted:
            raise _InterruptedError from None
        raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
