"""The event envelope: what travels on the bus.

The form is the seed's: `event_id`, `event_type`, `event_version`, `timestamp`, `source`, `data`, `metadata`.
Expressions see it under shorter names as well (`event.id`, `event.type`, `event.data`), which `as_binding` gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts.json import Json


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        id: Unique id; a repeated delivery has the same.
        type: Dotted type, such as `agent.created`; also the routing key.
        version: Version of the type's schema, such as `1.0`.
        time: When it happened; aware.
        source: Who published it.
        data: The payload.
        metadata: `correlation_id`, `causation_id`, `group_id` and what else the producer sends.
    """

    id: str
    type: str
    version: str
    time: datetime
    source: str
    data: Json
    metadata: Mapping[str, Json] = field(default_factory=dict)

    @property
    def correlation_id(self) -> str:
        """The id that ties events of one cause together; the event's own where none was given."""
        value = self.metadata.get("correlation_id")
        return value if isinstance(value, str) and value else self.id

    def to_json(self) -> dict[str, Json]:
        """Return the envelope as it travels."""
        return {
            "event_id": self.id,
            "event_type": self.type,
            "event_version": self.version,
            "timestamp": self.time.isoformat().replace("+00:00", "Z"),
            "source": self.source,
            "data": self.data,
            "metadata": dict(self.metadata),
        }

    def as_binding(self) -> dict[str, Json]:
        """Return what expressions see as `event`."""
        return {
            "id": self.id,
            "type": self.type,
            "version": self.version,
            "time": self.time.isoformat().replace("+00:00", "Z"),
            "source": self.source,
            "data": self.data,
            "metadata": dict(self.metadata),
        }
