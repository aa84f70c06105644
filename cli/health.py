"""Whether a process is well: its loop turns, and what it needs answers when it is asked.

Probes are answered from another thread (`cli/endpoint.py`), so that a process whose loop is held up is seen as such.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

from temporalio.client import Client
from temporalio.service import RPCError

from contracts.errors import SagaError
from store.database import Database

Check: TypeAlias = Callable[[], Awaitable[bool]]
_Question: TypeAlias = Callable[[], Coroutine[Any, Any, Mapping[str, bool]]]
_PATIENCE = timedelta(seconds=2)
_KEPT = timedelta(seconds=1)


class Health:
    """What is asked of a process; each question is put at most once a second, however often probes come."""

    def __init__(self) -> None:
        """Know nothing yet: a process that has not begun is alive, and not ready."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._checks: Mapping[str, Check] = {}
        self._found: tuple[float, Mapping[str, bool]] | None = None

    def watch(self, checks: Mapping[str, Check]) -> None:
        """Ask these from now on, in the loop that runs now."""
        self._loop, self._checks, self._found = asyncio.get_running_loop(), checks, None

    async def parts(self) -> Mapping[str, bool]:
        """Tell of each part whether it answers."""
        if self._found is None or time.monotonic() - self._found[0] > _KEPT.total_seconds():
            answers = await asyncio.gather(*(_answers(check) for check in self._checks.values()))
            self._found = time.monotonic(), dict(zip(self._checks, answers, strict=True))
        return self._found[1]

    async def is_alive(self) -> bool:
        """Tell whether the loop of the process turns; asked from another one."""
        return await self._there(_nothing) is not None

    async def is_ready(self) -> Mapping[str, bool]:
        """Tell of each part whether it answers; asked from another loop. Before `watch` the process itself does not."""
        found = await self._there(self.parts)
        return found if found is not None and self._checks else {"process": False}

    async def _there(self, question: _Question) -> Mapping[str, bool] | None:
        """Put a question in the loop of the process; None where that does not turn."""
        if self._loop is None:
            return {}
        asked = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(question(), self._loop))
        try:
            async with asyncio.timeout(2 * _PATIENCE.total_seconds()):
                return await asked
        except TimeoutError:
            return None


def needs_temporal(client: Client) -> Check:
    """Return what asks Temporal."""

    async def answers() -> bool:
        return await client.service_client.check_health(timeout=_PATIENCE)

    return answers


def needs_postgresql(database: Database) -> Check:
    """Return what asks PostgreSQL."""

    async def answers() -> bool:
        return bool(await database.fetch("select 1"))

    return answers


async def _answers(check: Check) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE.total_seconds()):
            return await check()
    except (TimeoutError, RPCError, SagaError):
        return False


async def _nothing() -> Mapping[str, bool]:
    return {}
