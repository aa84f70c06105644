"""Bridges in processes of their own, for tests that kill them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cli.stack.events import Service
from tests.bridge.environment import BridgeEnvironment
from tests.support.copies import Call, Copy, start_with_log

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def bridge_process(
    env: BridgeEnvironment, temporal: Service, *crash: str, amqp_url: str | None = None, log: Path | None = None
) -> AsyncIterator[Copy]:
    """Run a bridge in its own process; it is killed at the end of the block, if it is not dead by then."""
    services = ("--amqp", amqp_url or env.amqp_url, "--database", env.database_url, "--temporal", temporal.url)
    where = (*services, "--task-queue", env.task_queue)
    call = Call("tests.bridge.bridge_main", (*where, *crash), str(ROOT), dict(os.environ))
    process = await start_with_log(call, log or Path(os.devnull))
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
