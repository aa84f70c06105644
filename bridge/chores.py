"""What a bridge does beside consuming: loops that run until it stops.

A chore that fails because a service is away, or because it was refused something, is begun again after a growing
delay: no chore is worth the bridge. What is no error of ours is a bug, and ends the bridge where everybody sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog

from bridge.backoff import delay_seconds
from contracts.errors import SagaError

Chore = Callable[[asyncio.Event], Awaitable[None]]
_HEALTHY_SECONDS = 60.0
_LONGEST = timedelta(seconds=30)
_log = structlog.get_logger("bridge")


@asynccontextmanager
async def doing(chores: Mapping[str, Chore], patience: timedelta) -> AsyncIterator[asyncio.Future[None]]:
    """Run chores by name inside the block; each is given the event that says when to stop, and finishes its work then.

    Args:
        chores: What to do.
        patience: How long they may take to finish.

    Yields:
        A future that ends only by the error of a chore.
    """
    stop = asyncio.Event()
    tasks = [asyncio.ensure_future(_again_and_again(name, chore, stop)) for name, chore in chores.items()]
    watching = asyncio.ensure_future(_first_failure(tasks))
    try:
        yield watching
    finally:
        stop.set()
        _, late = await asyncio.wait(tasks, timeout=patience.total_seconds())
        # One may wait for a service that is away; each is safe to cut off, since its work is done again elsewhere.
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def every(interval: timedelta, stop: asyncio.Event) -> bool:
    """Wait for so long, and tell whether to go on: False = we are to stop."""
    with suppress(TimeoutError):
        async with asyncio.timeout(interval.total_seconds()):
            await stop.wait()
    return not stop.is_set()


async def _again_and_again(name: str, chore: Chore, stop: asyncio.Event) -> None:
    failures = 0
    clock = asyncio.get_running_loop().time
    while not stop.is_set():
        began = clock()
        try:
            await chore(stop)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            failed = "the client library cancelled what it waited for"
        except SagaError as error:
            failed = str(error)
        else:
            continue
        failures = 1 if clock() - began > _HEALTHY_SECONDS else failures + 1
        _log.warning("chore_failed", chore=name, error=failed, failures=failures)
        await every(timedelta(seconds=delay_seconds(failures, _LONGEST)), stop)


async def _first_failure(tasks: Sequence[asyncio.Future[None]]) -> None:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        if not task.cancelled():
            task.result()
