"""The mailbox: what came before anybody waited for it, as JSON, and the ids of what was applied.

All of it is carried from execution to execution, so all of it is bounded. What does not fit, and what cannot be read,
is put on record with its reason: nothing that was sent to a run disappears without a trace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from contracts.json import Json, NotJsonError, encode
from contracts.problems import readable
from workflows.engine.evaluation import moment
from workflows.engine.events import Decision, Message
from workflows.engine.turn import Turn

SEEN_LIMIT: Final = 1000
KEPT_LIMIT: Final = 1000
"""Messages and decisions."""
KEPT_LIMIT_BYTES: Final = 512 * 1024
"""Of JSON, all together."""
REFUSED_LIMIT: Final = 100
LONGEST_REASON: Final = 1000
"""Characters."""
_LONGEST_ID = 200
LONGEST_NAME = 200

Document = dict[str, Json]


def repeated(turn: Turn, message_id: str | None) -> bool:
    """Tell whether a message was applied before; remember it if not."""
    if message_id is None:
        return False
    seen, identity = turn.state.seen, _short(message_id)
    if identity in seen:
        return True
    seen[identity] = None
    if len(seen) > SEEN_LIMIT:
        del seen[next(iter(seen))]
    return False


def keep(turn: Turn, document: Document, name: str) -> None:
    """Keep what nobody waits for yet, if there is room; `name` is how people know it."""
    state = turn.state
    try:
        size = len(encode(document, any_depth=True))
    except NotJsonError as error:
        refuse(turn, name, f"it cannot be kept: {error}")
        return
    if len(state.mailbox) >= KEPT_LIMIT or state.mailbox_bytes + size > KEPT_LIMIT_BYTES:
        limits = f"{KEPT_LIMIT:,} messages and {KEPT_LIMIT_BYTES:,} bytes"
        refuse(turn, name, f"nobody waited for it, and the mailbox is full: it holds {limits}")
        return
    state.mailbox.append(document | {"bytes": size})
    state.mailbox_bytes += size


def take(turn: Turn, wanted: Callable[[Document], bool]) -> list[Document]:
    """Take what is wanted out of the mailbox, the oldest first; `wanted` is asked once about each."""
    state = turn.state
    taken: list[Document] = []
    kept: list[Document] = []
    for document in state.mailbox:
        (taken if wanted(document) else kept).append(document)
    if taken:
        state.mailbox = kept
        state.mailbox_bytes = sum(_size(document) for document in kept)
    return taken


def refuse(turn: Turn, name: str, reason: str) -> None:
    """Put a message on record that cannot be read or kept."""
    state = turn.state
    at = moment(turn.at).isoformat().replace("+00:00", "Z")
    state.refused.append({"name": readable(name)[:LONGEST_NAME], "at": at, "reason": readable(reason, LONGEST_REASON)})
    del state.refused[:-REFUSED_LIMIT]
    state.refused_count += 1
    state.touched.refused += 1


def binding(document: Document) -> Json:
    """Return what `event` is for the expression `match`: the event, or the signal in the form of one."""
    event = document["event"]
    if isinstance(event, dict):
        return event if "data" in event else event | {"data": document["data"]}
    return {"id": document["message_id"], "type": document["name"], "data": document["data"]}


def message_document(message: Message) -> Document:
    """Return a message as it is kept: what its event says once more is not kept twice."""
    event = message.event
    if event is not None and "data" in event and event["data"] == message.data:
        event = {name: value for name, value in event.items() if name != "data"}
    document: Document = {"kind": "message", "name": message.name, "data": message.data}
    return document | {"event": event, "message_id": message.message_id}


def decision_document(decision: Decision) -> Document:
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
    values = {key: value for key, value in document.items() if key not in ("kind", "bytes")}
    return Decision(**(values | {"roles": tuple(values["roles"])}))


def _size(document: Document) -> int:
    size = document.get("bytes", 0)
    assert isinstance(size, int)
    return size


def _short(message_id: str) -> str:
    if len(message_id) <= _LONGEST_ID:
        return message_id
    return f"sha256:{hashlib.sha256(message_id.encode(errors='surrogatepass')).hexdigest()}"
