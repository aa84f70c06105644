"""Signals and updates as events of the engine.

A signal carries `[data]`, or `[data, {"event", "message_id"}]` when the bridge made it of an event. It cannot be
refused, so whatever it carries is taken: what cannot be read is put on record, and a decision in it that is wrong is
the engine's to refuse. An update can be refused, so its form is checked here, and the person is told what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.json import Json, Unusable
from contracts.names import SIGNAL_APPROVE, SIGNAL_REJECT
from contracts.problems import VALIDATION, Problem
from workflows.engine.events import Decision, Event, Message, MessageRefused

_DECISIONS = {"approve": True, "reject": False}
_MEMBERS = frozenset({"step", "decision", "approver", "roles", "comment", "data"})
_FORM = '{"step": ..., "decision": "approve" or "reject", "approver": ..., "comment": ..., "data": ..., "roles": [...]}'


class DecisionRefusedError(Exception):
    """The decision is not in the form that the update takes."""

    def __init__(self, detail: str) -> None:
        """Say what is wrong with it."""
        self.problem = Problem(VALIDATION, "The decision was refused", 422, f"{detail} Send {_FORM}.")
        super().__init__(self.problem.detail)


def signalled(name: str, values: Sequence[Any], at: int) -> Event:
    """Return the event that the signal `name` with the arguments `values` stands for; `at` is in milliseconds."""
    unreadable = next((value for value in values if isinstance(value, Unusable)), None)
    if unreadable is not None:
        return MessageRefused(at, name, unreadable.reason)
    data = values[0] if values else None
    origin = values[1] if len(values) > 1 and isinstance(values[1], Mapping) else {}
    event, message_id = origin.get("event"), origin.get("message_id")
    envelope = dict(event) if isinstance(event, Mapping) else None
    identity = message_id if isinstance(message_id, str) else None
    if name in (SIGNAL_APPROVE, SIGNAL_REJECT):
        via = "signal" if envelope is None else "event"
        return _decision(_mapping(data), at, approved=name == SIGNAL_APPROVE, via=via, message_id=identity)
    return Message(at, name, data, envelope, identity)


def decided(values: Sequence[Any], at: int) -> Decision:
    """Return the decision that the update `decide` with the arguments `values` stands for.

    Raises:
        DecisionRefusedError: It is not in the form that the update takes.
    """
    if len(values) != 1 or not isinstance(values[0], Mapping):
        raise DecisionRefusedError("A decision is one JSON object.")
    document = values[0]
    _check(document)
    return _decision(document, at, approved=_DECISIONS[document["decision"]], via="update", message_id=None)


def _check(document: Mapping[str, Any]) -> None:
    unknown = sorted(set(document) - _MEMBERS)
    if unknown:
        raise DecisionRefusedError(f"Unknown: {', '.join(map(str, unknown))}.")
    if document.get("decision") not in tuple(_DECISIONS):
        raise DecisionRefusedError('"decision" must be "approve" or "reject".')
    for name in ("step", "approver"):
        if not isinstance(document.get(name), str) or not document[name]:
            raise DecisionRefusedError(f'"{name}" must say {"which step" if name == "step" else "who"} decides.')


def _decision(document: Mapping[str, Any], at: int, *, approved: bool, via: str, message_id: str | None) -> Decision:
    return Decision(
        at=at,
        step=_text(document.get("step")),
        approved=approved,
        approver=_text(document.get("approver")),
        roles=_texts(document.get("roles")),
        comment=_text(document.get("comment")),
        data=document.get("data"),
        via=via,
        message_id=message_id,
    )


def _mapping(data: Json) -> Mapping[str, Any]:
    return data if isinstance(data, Mapping) else {"data": data}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(role for role in value if isinstance(role, str)) if isinstance(value, list) else ()
