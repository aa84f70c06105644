"""What a process that serves does at its start while a service is away: it says so once, and waits.

A machine that comes up, or a compose file, starts everything at once. A command that somebody waits for ends instead,
at once, with what is away and exit code 3.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Final, TypeVar

import click

from bridge.backoff import delay_seconds
from contracts.errors import ServiceUnreachableError

T = TypeVar("T")
_LONGEST: Final = timedelta(seconds=5)


@asynccontextmanager
async def patiently(opened: Callable[[], AbstractAsyncContextManager[T]]) -> AsyncIterator[T]:
    """Hold what `opened` gives inside the block, as soon as the service that it needs answers.

    Each service that is waited for is told on stderr when the wait begins, and all of them when it is over.

    Args:
        opened: Opens anew at each call, and undoes what it did when it fails.

    Raises:
        SagaError: What no waiting helps, such as an account that is refused.
    """
    async with AsyncExitStack() as parts:
        yield await _at_last(parts, opened)


async def _at_last(parts: AsyncExitStack, opened: Callable[[], AbstractAsyncContextManager[T]]) -> T:
    told: dict[tuple[str, str], None] = {}
    failures = 0
    while True:
        try:
            found = await parts.enter_async_context(opened())
        except ServiceUnreachableError as error:
            failures += 1
            if (error.service, error.address) not in told:
                told[error.service, error.address] = None
                click.echo(f"Waiting for {error.service} at {error.address}: {error.cure}.", err=True)
            await asyncio.sleep(delay_seconds(failures, _LONGEST))
        else:
            for service, address in told:
                click.echo(f"Found {service} at {address}.", err=True)
            return found
