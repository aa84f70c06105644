"""Waiting for what a server shows only to those who ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(holds: Callable[[], Awaitable[bool]], within_seconds: float = 60) -> None:
    """Ask until it holds; a test that waits in vain fails."""
    async with asyncio.timeout(within_seconds):
        while not await holds():  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.05)
