"""A test that hangs fails alone, is named, and shows where it waited.

Three nets, each for what the one before cannot catch; pyproject.toml says after how many seconds:

1. A coroutine is cancelled (`coroutine_timeout`), so that what it opened is closed in good order.
2. pytest-timeout interrupts whatever else takes too long (`timeout`): a fixture, a test that blocks the event loop.
3. `faulthandler` ends a process that hangs in native code (`faulthandler_timeout`), with a stack; xdist fails the test
   and goes on with another worker.

The limits are for machines that have much else to do: no test is meant to be held against them.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the first limit."""
    parser.addini("coroutine_timeout", "seconds after which the coroutine of a test is cancelled", default="300")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Limit every coroutine."""
    seconds = float(config.getini("coroutine_timeout"))
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = limited(item.obj, seconds)


def limited(test: Callable[..., Awaitable[None]], seconds: float) -> Callable[..., Awaitable[None]]:
    """Return the test with a limit to its time."""

    @functools.wraps(test)
    async def run(**arguments: Any) -> None:
        try:
            async with asyncio.timeout(seconds) as limit:
                await test(**arguments)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise AssertionError(f"{test.__name__} did not end within {seconds:g} s; it waited as above") from error

    return run
