"""Runs a command's coroutine, with an orderly end on Ctrl-C, SIGTERM and SIGHUP.

The first signal cancels the coroutine, so that every `async with` closes what it opened before the process leaves.
Closing has time limits of its own, but nobody has to rely on them: a second signal ends the process within seconds,
whatever hangs. Programs that it started end with it, as after a SIGKILL.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Iterator
from types import FrameType
from typing import Any, Final, TypeVar

T = TypeVar("T")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LAST_SECONDS: Final = 2.0
_AT_ONCE: Final = b"Ending at once: what is in hand is left as it is.\n"


class _InterruptedError(Exception):
    """A signal ended the coroutine. (KeyboardInterrupt inside a task would break out of the event loop.)"""


class _Interruption:
    """What signals do to a task.

    A handler of Python's own, not of the loop: it is also called while the loop is held up.
    """

    def __init__(self, task: asyncio.Future[Any]) -> None:
        self._task, self._loop = task, task.get_loop()
        self.count = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.count += 1
        if self.count == 1:
            self._loop.call_soon_threadsafe(self._task.cancel)
        elif self.count == 2:  # noqa: PLR2004  # somebody means it
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _AT_ONCE)
            end = threading.Timer(_LAST_SECONDS, os._exit, (128 + number,))
            end.daemon = True
            end.start()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end and return its result.

    Raises:
        KeyboardInterrupt: A signal ended it; everything that it opened is closed.
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
    task = asyncio.ensure_future(main)
    interruption = _Interruption(task)
    with _handling(interruption):
        try:
            return await task
        except asyncio.CancelledError:
            if interruption.count:
                raise _InterruptedError from None
            raise


@contextlib.contextmanager
def _handling(interruption: _Interruption) -> Iterator[None]:
    """Have signals handled inside the block; SIGHUP only where it is not ignored, as under `nohup`."""
    wanted = [each for each in _SIGNALS if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
    before = {number: signal.signal(number, interruption) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
