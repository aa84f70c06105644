"""The state as JSON and back: for continue-as-new, the `state` query, snapshots and comparison.

`state_from_json(state_to_json(s)) == s` for every state; a property test holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from contracts.json import Json
from workflows.engine.state import Armed, Frame, Operation, Scope, State, StepRecord, Wait

_NUMBERED: Mapping[str, type] = {"frames": Frame, "scopes": Scope}
_COMPENSATIONS = ("armed", "remaining")
_BY_PATH: Mapping[str, type] = {"waits": Wait, "records": StepRecord}
_MEMBERS: Mapping[type, tuple[str, ...]] = MappingProxyType(
    {
        kind: tuple(entry.name for entry in fields(kind) if entry.compare)
        for kind in (State, Frame, Scope, Wait, StepRecord, Operation, Armed)
    }
)


def state_to_json(state: State) -> dict[str, Json]:
    """Return the state as JSON; what is ordered becomes a list, since converters sort the keys of objects.

    It shares the state's values: whoever keeps it beyond the next event copies it.
    """
    document = _members(state)
    document["operations"] = [{"id": key, **_members(value)} for key, value in state.operations.items()]
    for name in _BY_PATH:
        document[name] = [_members(value) for value in document[name].values()]
    for name in _NUMBERED:
        document[name] = {str(key): _members(value) for key, value in document[name].items()}
    for name in _COMPENSATIONS:
        document[name] = [_members(value) for value in document[name]]
    document["seen"] = list(state.seen)
    return document


def copy_of(state: State) -> State:
    """Return a state that goes its own way from here."""
    return state_from_json(deepcopy(state_to_json(state)))


def _members(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in _MEMBERS[type(value)]}


def state_from_json(document: Mapping[str, Any]) -> State:
    """Read what `state_to_json` wrote."""
    # What an older engine carried over has not all members.
    values = {entry.name: document[entry.name] for entry in fields(State) if entry.compare and entry.name in document}
    for name, kind in _NUMBERED.items():
        values[name] = {int(key): kind(**value) for key, value in document[name].items()}
    for name, kind in _BY_PATH.items():
        values[name] = {entry["path"]: kind(**entry) for entry in document[name]}
    values["operations"] = {entry["id"]: _operation(entry) for entry in document["operations"]}
    for name in _COMPENSATIONS:
        values[name] = [Armed(**entry) for entry in document.get(name, ())]
    values["seen"] = dict.fromkeys(document["seen"])
    return State(**values)


def _operation(entry: Mapping[str, Any]) -> Operation:
    return Operation(**{key: value for key, value in entry.items() if key != "id"})
