"""The mailbox: what came before anybody waited for it, as JSON, and the ids of what was applied."""

from __future__ import annotations

from typing import Any

from contracts.json import Json
from workflows.engine.events import Decision, Message
from workflows.engine.turn import Turn

SEEN_LIMIT = 1000


def repeated(turn: Turn, message_id: str | None) -> bool:
    """Tell whether a message was applied before; remember it if not."""
    if message_id is None:
        return False
    seen = turn.state.seen
    if message_id in seen:
        return True
    seen[message_id] = None
    if len(seen) > SEEN_LIMIT:
        del seen[next(iter(seen))]
    return False


def binding(document: dict[str, Json]) -> Json:
    """Return what `event` is for the expression `match`: the event, or the signal in the form of one."""
    event = document["event"]
    if event is not None:
        return event
    return {"id": document["message_id"], "type": document["name"], "data": document["data"]}


def message_document(message: Message) -> dict[str, Json]:
    """Return a message as it is kept."""
    document: dict[str, Json] = {"kind": "message", "name": message.name, "data": message.data}
    return document | {"event": message.event, "message_id": message.message_id}


def decision_document(decision: Decision) -> dict[str, Json]:
    """Return a decision as it is kept."""
    return {
        "kind": "decision",
        "at": decision.at,
        "step": decision.step,
        "approved": decision.approved,
        "approver": decision.approver,
        "roles": list(decision.roles),
        "comment": decision.comment,
        "data": decision.data,
        "via": decision.via,
    }


def decision_of(document: dict[str, Any]) -> Decision:
    """Return a decision that was kept."""
    values = {key: value for key, value in document.items() if key != "kind"}
    return Decision(**(values | {"roles": tuple(values["roles"])}))
