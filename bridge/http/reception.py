"""A delivery's way: read, verify, parse, make an event, hand it over. It knows nothing of ASGI.

The order is the defence. Nothing is parsed before the signature over the raw bytes was right, and nothing is evaluated
before it was parsed. A name that is no source is treated like one whose secret nobody knows: its body is read and its
signature computed, and the answer is the same, so that nobody learns by asking which sources there are.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from bridge.http.body import parse_body, read_body
from bridge.http.challenge import Challenge, challenge_in
from bridge.http.errors import (
    DeliveryConflictError,
    DeliveryRefusedError,
    DeliverySlowError,
    DeliveryUnusableError,
    IntakeUnavailableError,
)
from bridge.http.event import event_of
from bridge.http.headers import Headers
from bridge.http.hints import NO_SOURCE, hint_for
from bridge.http.intake import Delivery, Intake
from bridge.http.places import Places
from bridge.http.signatures.schemes import SCHEMES
from bridge.http.sources import Source
from contracts.errors import SagaError
from contracts.json import Json
from store.webhooks import Acceptance
from workflows.language.expressions.template import compile_template

Resolve = Callable[[str], str]
"""Returns the secret that a reference names, and raises a `SagaError` where there is none."""

_UNKNOWN: Final = "(unknown)"
_log = structlog.get_logger(__name__)


def stranger() -> Source:
    """Return the source that stands in for a name that is none; nobody has its key."""
    return Source(_UNKNOWN, SCHEMES["saga"], (), compile_template("webhook.unknown"))


@dataclass(frozen=True, slots=True)
class Reception:
    """Takes deliveries.

    Attributes:
        sources: The sources as they are now.
        intake: Where verified deliveries go.
        resolve: Gives the secret of a reference; asked at each delivery, so that a replaced secret counts at once.
        clock: The time; aware.
        patience: How long a body may take to arrive, and how long the intake may take.
        places: Where bodies are waited for.
    """

    sources: Callable[[], Mapping[str, Source]]
    intake: Intake
    resolve: Resolve
    clock: Callable[[], datetime]
    patience: timedelta
    places: Places
    _stranger: Source = field(default_factory=stranger)
    _nobodys_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def known(self, name: str) -> str:
        """Return a source's name for logs and metrics, or one word for all that are none."""
        return name if name in self.sources() else _UNKNOWN

    async def receive(self, name: str, headers: Headers, chunks: AsyncIterable[bytes]) -> Acceptance | Challenge:
        """Take one delivery.

        Returns:
            `accepted` or `duplicate`, or the question to answer.

        Raises:
            SagaError: Those of bridge/http/errors.py.
        """
        source = self.sources().get(name, self._stranger)
        body = await self._read(source, headers, chunks)
        self._verify(source, headers, body)
        document = parse_body(body, may_be_form=source.scheme.reads_forms)
        if source.answer_challenge and (challenge := challenge_in(document)):
            return challenge
        delivery = self._delivery(source, headers, body, document)
        taken = await self._accept(delivery)
        if taken == "conflict":
            raise DeliveryConflictError
        return taken

    async def _read(self, source: Source, headers: Headers, chunks: AsyncIterable[bytes]) -> bytes:
        try:
            async with self.places.reading(self.patience):
                return await read_body(headers, chunks, source.max_body_bytes)
        except TimeoutError:
            raise DeliverySlowError from None

    def _verify(self, source: Source, headers: Headers, body: bytes) -> None:
        keys = [self._nobodys_key] if source is self._stranger else self._keys(source)
        try:
            source.scheme.verify(headers, body, keys, self.clock(), source.tolerance)
        except DeliveryRefusedError as error:
            hint = NO_SOURCE if source is self._stranger else hint_for(source.scheme, headers, error.reason)
            raise DeliveryRefusedError(error.reason, hint) from None

    def _keys(self, source: Source) -> list[bytes]:
        """Return the keys that can be had; one that is missing takes nothing from the other."""
        keys = []
        for reference in source.secrets:
            try:
                keys.append(source.scheme.key(self.resolve(reference)))
            except SagaError as error:
                _log.error("webhook_secret_missing", source=source.name, reference=reference, code=error.code)
        if not keys:
            raise IntakeUnavailableError
        return keys

    def _delivery(self, source: Source, headers: Headers, body: bytes, document: Json) -> Delivery:
        identity = source.scheme.identify(headers, body, document)
        try:
            event = event_of(source, identity, headers, document, self.clock())
        except RecursionError:
            raise DeliveryUnusableError("It is nested too deeply.") from None
        return Delivery(source.name, identity, event, source.once_by_body)

    async def _accept(self, delivery: Delivery) -> Acceptance:
        try:
            async with asyncio.timeout(self.patience.total_seconds()):
                return await self.intake.accept(delivery)
        except TimeoutError:
            raise IntakeUnavailableError from None
        except SagaError as error:
            _log.error("webhook_intake_failed", source=delivery.source, code=error.code, error=str(error))
            raise IntakeUnavailableError from error
