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
_NAMED: Mapping[str, type] = {"operations": Operation, "waits": Wait, "records": StepRecord}


def state_to_json(state: State) -> dict[str, Json]:
    """Return the state as JSON; the keys of frames and scopes become text."""
    document: dict[str, Any] = asdict(state)
    for name in _NUMBERED:
        document[name] = {str(key): value for key, value in document[name].items()}
    document["seen"] = list(state.seen)
    return document


def state_from_json(document: Mapping[str, Any]) -> State:
    """Read what `state_to_json` wrote."""
    values = {entry.name: document[entry.name] for entry in fields(State)}
    for name, kind in _NUMBERED.items():
        values[name] = {int(key): kind(**value) for key, value in document[name].items()}
    for name, kind in _NAMED.items():
        values[name] = {key: kind(**value) for key, value in document[name].items()}
    values["armed"] = [Armed(**entry) for entry in document["armed"]]
    values["seen"] = dict.fromkeys(document["seen"])
    return State(**values)
