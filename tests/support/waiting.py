"""Waiting for what a server shows only to those who ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 120.0
"""For what takes a moment on an idle machine: long enough on one that has ten times as much to do."""


async def eventually(
    holds: Callable[[], Awaitable[bool]],
    within_seconds: float = PATIENCE_SECONDS,
    *,
    progress: Callable[[], object] = lambda: None,
) -> None:
    """Ask until it holds; a test that waits in vain fails.

    Args:
        holds: What is waited for.
        within_seconds: How long nothing may move before the wait is in vain.
        progress: What moves while the work goes on, such as a count; without it the whole wait is limited.
    """
    async with asyncio.timeout(within_seconds) as limit:
        latest = progress()
        while not await holds():
            if (now := progress()) != latest:
                latest = now
                limit.reschedule(asyncio.get_running_loop().time() + within_seconds)
            await asyncio.sleep(0.05)
