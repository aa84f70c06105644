"""What a process tells those who watch it: metrics and two probes, from a thread with a loop of its own.

So it answers while the process is busy, and tells when its loop is held up. Connections are bounded and have to bring
their request in time, as those for webhooks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING, Final

from cli.health import Health
from contracts.errors import SagaError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

_CONNECTIONS: Final = 256
_HEAD: Final = timedelta(seconds=5)
_NOT_READY: Final = 503


@contextmanager
def endpoint(host: str, port: int, registry: CollectorRegistry, health: Health) -> Iterator[None]:
    """Serve `/metrics`, `/healthz` and `/readyz` inside the block.

    Args:
        host: The address to listen at.
        port: The port.
        registry: What is measured.
        health: Knows how the process is.

    Raises:
        NoListenerError: The address cannot be had.
    """
    app, started = _app(registry, health), Future[Callable[[], object]]()
    thread = Thread(target=lambda: asyncio.run(_serve(app, host, port, started)), name="endpoint", daemon=True)
    thread.start()
    stop = started.result()
    try:
        yield
    finally:
        stop()
        thread.join()


async def _serve(app: ASGIApp, host: str, port: int, started: Future[Callable[[], object]]) -> None:
    from bridge.http.server import ServerLimits, serving  # noqa: PLC0415  # half a second for those who listen

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    try:
        async with serving(app, host, port, ServerLimits(_CONNECTIONS, head_timeout=_HEAD)):
            started.set_result(lambda: loop.call_soon_threadsafe(stop.set))
            await stop.wait()
    except SagaError as error:
        started.set_exception(error)


def _app(registry: CollectorRegistry, health: Health) -> ASGIApp:
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415  # only who measures pays for it
    from starlette.applications import Starlette  # noqa: PLC0415  # the same
    from starlette.responses import JSONResponse, Response  # noqa: PLC0415  # the same
    from starlette.routing import Route  # noqa: PLC0415  # the same

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    async def alive(request: Request) -> Response:
        del request
        return (
            JSONResponse({"status": "ok"})
            if await health.is_alive()
            else JSONResponse({"status": "held up"}, _NOT_READY)
        )

    async def ready(request: Request) -> Response:
        del request
        parts = dict(await health.is_ready())
        all_ready = all(parts.values())
        return JSONResponse({"ready": all_ready, "parts": parts}, 200 if all_ready else _NOT_READY)

    return Starlette(routes=[Route("/metrics", metrics), Route("/healthz", alive), Route("/readyz", ready)])
