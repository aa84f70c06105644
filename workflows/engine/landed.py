"""Events as JSON, for the run that resumes another one: what had happened there already and is not to happen again.

Only what can be handed over: the answers of operations, timers, messages and decisions. `at` is left out, because it
is taken in when the new run begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeAlias

from contracts.json import Json
from contracts.problems import Problem
from workflows.engine.events import Decision, Done, Failed, Fired, Message, Resumed

Landed: TypeAlias = Done | Failed | Fired | Message | Decision
_KINDS: Mapping[str, type[Landed]] = {kind.__name__: kind for kind in (Done, Failed, Fired, Message, Decision)}
_TUPLES = ("armed", "roles")


def landed_to_json(event: Landed) -> dict[str, Json]:
    """Return the event as JSON, without its moment."""
    values: dict[str, Any] = asdict(event) | {"kind": type(event).__name__}
    if isinstance(event, Failed):
        values["problem"] = event.problem.to_json()
    del values["at"]
    return values


def landed_from_json(document: Json, now: Resumed) -> Landed:
    """Read what `landed_to_json` wrote, as something that happens now."""
    assert isinstance(document, dict)
    values: dict[str, Any] = dict(document)
    kind = _KINDS[values.pop("kind")]
    values |= {name: tuple(values[name]) for name in _TUPLES if name in values}
    if "problem" in values:
        values["problem"] = Problem.from_json(values["problem"])
    return kind(at=now.at, **values)
