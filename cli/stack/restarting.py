"""Keeps a part of the stack alive: one that ends by itself is told at once, and started again with its state.

The pauses before that grow. A part that ends again and again, or cannot be started any more, is given up, and the whole
stack with it: half a stack looks well and does nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final

from bridge.backoff import delay_seconds
from cli.stack.errors import ServiceFailedError
from cli.stack.events import Happening, Report, Service, StackEvent

_MOST: Final = 6
"""Times in a row that a part may end or fail to start."""

_HEALTHY_SECONDS: Final = 120.0
_LONGEST: Final = timedelta(seconds=15)


async def keep(
    part: str,
    own: Callable[[], AbstractAsyncContextManager[Service]],
    report: Report,
    first: asyncio.Future[Service],
) -> None:
    """Run a part of our own until cancelled.

    Args:
        part: Its name, for people.
        own: Runs it inside the block, at the same address each time.
        report: Told what happens.
        first: Set once it runs for the first time.

    Raises:
        SagaError: It could not be started at first, or is given up.
    """
    clock = asyncio.get_running_loop().time
    failures, address = 0, ""
    while True:
        began = clock()
        try:
            async with own() as service:
                address = service.shown
                report(StackEvent(part, Happening.STARTED, address, clock() - began))
                if not first.done():
                    first.set_result(service)
                began = clock()
                try:
                    error = await _ended(service)
                except asyncio.CancelledError:
                    report(StackEvent(part, Happening.STOPPED, address))
                    raise
        except ServiceFailedError as failed:
            if not first.done():
                raise
            error = failed
        failures = 1 if clock() - began > _HEALTHY_SECONDS else failures + 1
        await _pause(part, address, error, failures, report)


async def _ended(service: Service) -> ServiceFailedError:
    if service.ended is None:  # not ours to start again
        return await asyncio.Future()
    return await service.ended()


async def _pause(part: str, address: str, error: ServiceFailedError, failures: int, report: Report) -> None:
    if failures >= _MOST:
        report(StackEvent(part, Happening.NOTE, address, note=f"{error.reason}: given up, everything stops"))
        raise ServiceFailedError(f"It ended or failed {failures} times in a row and is given up. {error.detail}")
    seconds = delay_seconds(failures, _LONGEST)
    report(StackEvent(part, Happening.NOTE, address, note=f"{error.reason}: starting it again in {seconds:.1f} s"))
    await asyncio.sleep(seconds)
