"""Random events: everything that an event may be, so that what is written is read again as it was."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from contracts.envelope import Event
from contracts.json import Json

KNOWN_METADATA = (
    "subject",
    "group_id",
    "correlation_id",
    "causation_id",
    "traceparent",
    "replay",
    "id",
    "data",
    "partitionkey",
    "sagaenvelope",
    "eventversion",
    "datacontenttype",
    "dataschema",
    "tenant",
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=10,
)
lines = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=100)
moments = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9000, 1, 1), timezones=st.just(UTC))

KEYS = ("correlation_id", "group_id")


def is_key(value: Json) -> bool:
    """Tell whether an event can have it for a key as it is."""
    return isinstance(value, str) and value != "" and all(" " <= char != "\x7f" for char in value)


events = st.builds(
    Event,
    id=lines.filter(bool),
    type=st.lists(st.text("abcdefgh-_ÄÖ0123456789", min_size=1), min_size=1, max_size=4).map(".".join),
    version=lines,
    time=moments,
    source=lines,
    data=json_values,
    metadata=st.dictionaries(st.sampled_from(KNOWN_METADATA) | st.text(), json_values | lines, max_size=6).map(
        lambda metadata: {name: value for name, value in metadata.items() if name not in KEYS or is_key(value)}
    ),
    expires_at=st.none() | moments,
    unique_id=st.booleans(),
)
