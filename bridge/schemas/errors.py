"""What can be wrong with an event's data, and with the schemas themselves."""

from __future__ import annotations

from contracts.errors import PermanentError


class EventInvalidError(PermanentError):
    """The event's data does not fit the schema of its type; correct its producer, or publish a new version."""

    code = "event-invalid"


class SchemasInvalidError(PermanentError):
    """The schemas of events have mistakes; `saga validate` shows each with its line."""

    code = "event-schemas-invalid"
