"""Events as JSON and back: what a snapshot keeps of each turn.

`event_from_json(event_to_json(e)) == e` for every event; a property test holds it. Members that have their default are
left out, because a snapshot is written for every event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from types import MappingProxyType
from typing import Any

from contracts.json import Json
from contracts.problems import Problem
from workflows.engine.events import (
    Begun,
    CancelRequested,
    Continued,
    Decision,
    Done,
    DrainRequested,
    Event,
    Failed,
    Fired,
    Message,
    MessageRefused,
    Migrated,
    Resumed,
    RunInfo,
    Slice,
    StateTooLarge,
)

KIND = "kind"
_KINDS: Mapping[str, type] = MappingProxyType(
    {
        "begun": Begun,
        "continued": Continued,
        "drain-requested": DrainRequested,
        "state-too-large": StateTooLarge,
        "done": Done,
        "failed": Failed,
        "fired": Fired,
        "message": Message,
        "message-refused": MessageRefused,
        "decision": Decision,
        "cancel-requested": CancelRequested,
        "migrated": Migrated,
        "resumed": Resumed,
    }
)
_NAMES = MappingProxyType({kind: name for name, kind in _KINDS.items()})
_PARTS = (RunInfo, Slice, Problem)
_READERS: Mapping[tuple[type, str], Callable[[Any], Any]] = MappingProxyType(
    {
        (Begun, "info"): lambda value: RunInfo(**value),
        (Resumed, "info"): lambda value: RunInfo(**value),
        (Resumed, "landed"): tuple,
        (Begun, "slice"): lambda value: Slice(**value),
        (Failed, "problem"): lambda value: Problem(**value),
        (Done, "armed"): tuple,
        (Failed, "armed"): tuple,
        (Decision, "roles"): tuple,
    }
)


def event_to_json(event: Event) -> dict[str, Json]:
    """Return the event as JSON, with its kind under `kind`; it shares the event's values."""
    return {KIND: _NAMES[type(event)], **_members(event)}


def event_from_json(document: Mapping[str, Any]) -> Event:
    """Read what `event_to_json` wrote."""
    kind = _KINDS[document[KIND]]
    values = {name: _read(kind, name, value) for name, value in document.items() if name != KIND}
    event: Event = kind(**values)
    return event


def _members(value: Any) -> dict[str, Json]:
    members: dict[str, Json] = {}
    for member, default in _DEFAULTS[type(value)]:
        given = getattr(value, member)
        if given != default:
            members[member] = _plain(given)
    return members


def _plain(value: Any) -> Json:
    if isinstance(value, _PARTS):
        return _members(value)
    return list(value) if isinstance(value, tuple) else value


def _read(kind: type, name: str, value: Any) -> Any:
    reader = _READERS.get((kind, name))
    return value if reader is None else reader(value)


def _default(member: Field[Any]) -> Any:
    return member.default_factory() if member.default_factory is not MISSING else member.default


_DEFAULTS = MappingProxyType(
    {kind: tuple((member.name, _default(member)) for member in fields(kind)) for kind in (*_KINDS.values(), *_PARTS)}
)
