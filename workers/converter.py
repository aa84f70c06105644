"""How values and failures are written into Temporal's history, and read from it.

Values are plain JSON, as everybody else's are, written and read in the one way that `contracts.json` has, so that
what is measured before it is sent is what is sent. A payload that cannot be read becomes `Unusable` instead of an
exception: one that is raised while a workflow task is prepared fails that task for ever, and nobody could get the run
out of it.

A failure that carries a problem document needs no stack trace: the problem says what happened, where and what to do,
and a trace would show people the inside of this program and the folders of its machine. What was not expected is in
the worker's log, with its trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.converter import (
    BinaryNullPayloadConverter,
    BinaryPlainPayloadConverter,
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    EncodingPayloadConverter,
    JSONProtoPayloadConverter,
    PayloadConverter,
)

from contracts.json import NotJsonError, Unusable, decode, encode

_OF_PROTOBUF = b"json/protobuf"
_BINARY = b"binary/plain"
_CARRIED = b'{"$saga":'


class JsonConverter(EncodingPayloadConverter):
    """JSON in UTF-8, encoding `json/plain`."""

    @property
    def encoding(self) -> str:
        """Temporal's name of the encoding."""
        return "json/plain"

    def to_payload(self, value: Any) -> Payload:
        """Write a value. Raises NotJsonError."""
        return Payload(metadata={"encoding": b"json/plain"}, data=encode(value, any_depth=True))

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Read a value; values have no other types than JSON's. Raises NotJsonError."""
        # What a run carries over to its next execution holds values of the greatest depth, and is deeper itself.
        return decode(payload.data, any_depth=payload.data.startswith(_CARRIED))


class LenientConverter(CompositePayloadConverter):
    """JSON, null, and the SDK's own messages; all else is read as `Unusable`."""

    def __init__(self) -> None:
        """Know the encodings; the first that takes a value writes it."""
        super().__init__(
            BinaryNullPayloadConverter(), BinaryPlainPayloadConverter(), JSONProtoPayloadConverter(), JsonConverter()
        )

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Read each payload, or say why it cannot be read."""
        hints = type_hints or []
        return [
            self._read(payload, hints[number] if number < len(hints) else None)
            for number, payload in enumerate(payloads)
        ]

    def _read(self, payload: Payload, hint: type | None) -> Any:
        if hint is RawValue:
            return RawValue(payload)
        encoding = payload.metadata.get("encoding", b"")
        if encoding == _OF_PROTOBUF and not _is_message(hint):
            encoding = b"json/plain"  # a stranger's message as JSON is JSON
        converter = None if encoding == _BINARY else self.converters.get(encoding)
        if converter is None:
            named = encoding.decode(errors="replace")[:100]
            return Unusable(f"it must be JSON (encoding json/plain), and its encoding is {named!r}")
        try:
            return converter.from_payload(payload, hint)
        except (NotJsonError, RuntimeError) as error:
            return Unusable(str(error))


def _is_message(hint: type | None) -> bool:
    return isinstance(hint, type) and issubclass(hint, Message)


class PlainFailureConverter(DefaultFailureConverter):
    """The SDK's converter, without stack traces."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Write `exception` into `failure`, causes included, each without its stack trace."""
        super().to_failure(exception, payload_converter, failure)
        part = failure
        part.stack_trace = ""
        while part.HasField("cause"):
            part = part.cause
            part.stack_trace = ""


def data_converter() -> DataConverter:
    """Return the data converter of every client of the product."""
    return replace(
        DataConverter.default,
        payload_converter_class=LenientConverter,
        failure_converter_class=PlainFailureConverter,
    )


def with_converter(client: Client) -> Client:
    """Return a client on the same connection that writes and reads as the product does; a codec stays."""
    ours = data_converter()
    config = client.config()
    config["data_converter"] = replace(
        client.data_converter,
        payload_converter_class=ours.payload_converter_class,
        failure_converter_class=ours.failure_converter_class,
    )
    return Client(**config)
