"""The state as JSON and back: for continue-as-new, the `state` query, snapshots and comparison.

`state_from_json(state_to_json(s)) == s` for every state; a property test holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from contracts.json import Json
from workflows.engine.state import Armed, Frame, Operation, Scope, State, StepRecord, Wait

_NUMBERED: Mapping[str, type] = {"frames": Frame, "scopes": Scope}
_COMPENSATIONS = ("armed", "remaining")
_BY_PATH: Mapping[str, type] = {"waits": Wait, "records": StepRecord}


def state_to_json(state: State) -> dict[str, Json]:
    """Return the state as JSON; what is ordered becomes a list, since converters sort the keys of objects."""
    document: dict[str, Any] = asdict(state)
    del document["touched"]
    document["operations"] = [{"id": key, **value} for key, value in document["operations"].items()]
    for name in _BY_PATH:
        document[name] = list(document[name].values())
    for name in _NUMBERED:
        document[name] = {str(key): value for key, value in document[name].items()}
    document["seen"] = list(state.seen)
    return document


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
