"""The event envelope: what travels on the bus.

The form is the seed's: `event_id`, `event_type`, `event_version`, `timestamp`, `source`, `data`, `metadata`, and
`expires_at` where the producer says until when it is of use. One member is ours, and there only where it is false:
`unique_id`, so that what came as a CloudEvent stays that event when it comes again in this form. Expressions see an
event under shorter names as well (`event.id`, `event.type`, `event.data`), which `as_binding` gives. What the product
itself reads of the metadata has a property here, so that its names are spelled once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts.json import Json

_MAX_IDENTITY = 200


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        id: Unique id; a repeated delivery has the same. See `identity`.
        type: Dotted type, such as `agent.created`; also the routing key.
        version: Version of the type's schema, such as `1.0`.
        time: When it happened; aware.
        source: Who published it.
        data: The payload.
        metadata: `correlation_id`, `causation_id`, `group_id` and what else the producer sends.
        expires_at: From when on it is of no use and is not carried out; aware. None = never.
        unique_id: Whether the id is unique by itself. That of a CloudEvent is so only together with its source.
        filled: What of it the producer did not say and the message that brought it has filled in: `timestamp`,
            `expires_at`, `metadata.NAME`. It is not of the content: events that differ in nothing else are equal.
    """

    id: str
    type: str
    version: str
    time: datetime
    source: str
    data: Json
    metadata: Mapping[str, Json] = field(default_factory=dict)
    expires_at: datetime | None = None
    unique_id: bool = True
    filled: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def identity(self) -> str:
        """What tells it from all other events: its id, or where that is not unique `SOURCE#ID`; at most 200 characters.

        In the source `%` and `#` are written as `%25` and `%23`, so that no two pairs give one text. What would be too
        long for an index is `sha256:` and the digest of that text.
        """
        if self.unique_id:
            return self.id
        readable = f"{self.source.replace('%', '%25').replace('#', '%23')}#{self.id}"
        return readable if len(readable) <= _MAX_IDENTITY else f"sha256:{hashlib.sha256(readable.encode()).hexdigest()}"

    @property
    def correlation_id(self) -> str:
        """The id that ties events of one cause together; the event's own identity where none was given."""
        return self._key("correlation_id") or self.identity

    @property
    def group_id(self) -> str | None:
        """The key within which events keep their order; None where the producer gave none."""
        return self._key("group_id")

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context that it was published in; None where there is none."""
        return self._text("traceparent")

    @property
    def tracestate(self) -> str | None:
        """What goes with `traceparent`."""
        return self._text("tracestate")

    @property
    def replay_id(self) -> str | None:
        """The replay by which it says that it was published again; None where it says nothing."""
        replay = self.metadata.get("replay")
        identity = replay.get("id") if isinstance(replay, dict) else None
        return identity if isinstance(identity, str) and identity else None

    def is_expired(self, now: datetime) -> bool:
        """Tell whether it is of no use any more; `now` is aware."""
        return self.expires_at is not None and self.expires_at <= now

    def to_json(self) -> dict[str, Json]:
        """Return the envelope as it travels."""
        envelope: dict[str, Json] = {
            "event_id": self.id,
            "event_type": self.type,
            "event_version": self.version,
            "timestamp": in_words(self.time),
            "source": self.source,
            "data": self.data,
            "metadata": dict(self.metadata),
        }
        return envelope | self._expiry() | ({} if self.unique_id else {"unique_id": False})

    def as_binding(self) -> dict[str, Json]:
        """Return what expressions see as `event`."""
        binding: dict[str, Json] = {
            "id": self.id,
            "type": self.type,
            "version": self.version,
            "time": in_words(self.time),
            "source": self.source,
            "data": self.data,
            "metadata": dict(self.metadata),
        }
        return binding | self._expiry()

    def _expiry(self) -> dict[str, Json]:
        return {} if self.expires_at is None else {"expires_at": in_words(self.expires_at)}

    def _key(self, name: str) -> str | None:
        value = self.metadata.get(name)
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return str(value) if is_number else self._text(name)

    def _text(self, name: str) -> str | None:
        value = self.metadata.get(name)
        return value if isinstance(value, str) and value else None


def in_words(moment: datetime) -> str:
    """Return an aware moment as envelopes write it: RFC 3339 in UTC, such as `2030-01-31T08:00:00Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
