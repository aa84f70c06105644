"""The ASGI application: webhooks in, and two probes.

A shell: it takes a request apart, asks `Reception`, and turns what comes back into an answer. Every outcome is counted
and logged by the name of its source, never with anything that the sender chose.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import structlog
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from bridge.http.challenge import Challenge
from bridge.http.errors import (
    DeliveryAbortedError,
    DeliveryAmbiguousError,
    DeliveryEncodedError,
    DeliveryRefusedError,
    DeliverySlowError,
    DeliveryTooLargeError,
    IntakeBusyError,
)
from bridge.http.headers import Headers
from bridge.http.intake import Intake
from bridge.http.places import Places
from bridge.http.problems import problem_response
from bridge.http.reception import Reception, Resolve
from bridge.http.refusal import Refusal
from bridge.http.sources import Source
from contracts.errors import SagaError
from store.webhooks import Acceptance

Observe: TypeAlias = Callable[[str, str], None]
"""Is told the name of a source and what became of a delivery: `accepted`, `duplicate`,
`challenged`, or the code of an error."""

Ready: TypeAlias = Callable[[], Awaitable[Mapping[str, bool]]]
"""Says of each part whether it is ready, in bounded time."""

_UNREAD: Final = (
    DeliveryAmbiguousError,
    DeliveryTooLargeError,
    DeliveryEncodedError,
    DeliverySlowError,
    IntakeBusyError,
)
_CHALLENGED: Final = "challenged"
_TAKEN: Final = ("accepted", "duplicate", _CHALLENGED)
_ACCEPTED: Final = 202
_DUPLICATE: Final = 200
_NOT_READY: Final = 503
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AppLimits:
    """How much the application takes at once.

    Attributes:
        deliveries: Deliveries in hand at most; more are told to come again.
        patience: How long a body may take to arrive, and how long PostgreSQL may take to keep it.
        grace: How long a body may take in any case; one that takes longer makes room when all places are taken.
    """

    deliveries: int = 100
    grace: timedelta = timedelta(seconds=1)
    patience: timedelta = timedelta(seconds=20)


def make_app(
    sources: Callable[[], Mapping[str, Source]],
    intake: Intake,
    *,
    resolve: Resolve,
    clock: Callable[[], datetime],
    ready: Ready,
    observe: Observe = lambda source, outcome: None,
    limits: AppLimits | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        sources: The sources as they are now; asked at each delivery.
        intake: Where verified deliveries go.
        resolve: Gives the secret of a reference; asked at each delivery.
        clock: The time; aware.
        ready: Says of each part whether it is ready.
        observe: Is told what became of each delivery.
        limits: How much is taken at once.
    """
    limits = limits or AppLimits()
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    places = Places(limits.deliveries, limits.grace)
    desk = _Desk(Reception(sources, intake, resolve, clock, limits.patience, places), places, observe)

    @app.post("/webhooks/{source}")
    async def receive(source: str, request: Request) -> Response:
        return await desk.answer(source, request)

    @app.get("/healthz")
    async def healthy() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/readyz")
    async def readiness() -> Response:
        parts = dict(await ready())
        all_ready = all(parts.values())
        return JSONResponse({"ready": all_ready, "parts": parts}, 200 if all_ready else _NOT_READY)

    @app.exception_handler(HTTPException)
    @app.exception_handler(Exception)
    async def refuse(request: Request, error: Exception) -> Response:
        return problem_response(error)

    return app


class _Desk:
    """Answers deliveries, a limited number at once."""

    def __init__(self, reception: Reception, places: Places, observe: Observe) -> None:
        self._reception, self._places, self._observe = reception, places, observe

    async def answer(self, name: str, request: Request) -> Response:
        """Take one delivery and answer it, whatever happens."""
        try:
            with self._places.one():
                taken = await self._receive(name, request)
        # One of the four places that turn errors into outcomes: nothing may reach the sender unexplained.
        except Exception as error:
            return self._refuse(name, error)
        if isinstance(taken, Challenge):
            self._note(name, _CHALLENGED)
            return JSONResponse({"challenge": taken.text}, headers={"x-content-type-options": "nosniff"})
        self._note(name, taken)
        return JSONResponse({"status": taken}, _ACCEPTED if taken == "accepted" else _DUPLICATE)

    async def _receive(self, name: str, request: Request) -> Acceptance | Challenge:
        async with aclosing(_chunks(request)) as chunks:
            return await self._reception.receive(name, Headers(request.headers.raw), chunks)

    def _refuse(self, name: str, error: Exception) -> Response:
        outcome = error.code if isinstance(error, SagaError) else "unexpected"
        reason, hint = (error.reason, error.hint) if isinstance(error, DeliveryRefusedError) else ("", "")
        self._note(name, outcome, reason, hint)
        response = problem_response(error)
        return Refusal(response) if isinstance(error, _UNREAD) else response

    def _note(self, name: str, outcome: str, reason: str = "", hint: str = "") -> None:
        source = self._reception.known(name)
        self._observe(source, outcome)
        # Who sends webhooks knows that they arrive; what is refused is for the operator to see.
        log = _log.debug if outcome in _TAKEN else _log.info
        log("webhook_received", source=source, outcome=outcome, reason=reason, hint=hint)


async def _chunks(request: Request) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise DeliveryAbortedError from None
