"""Waiting for people and messages: approval and receive, and the mailbox of what came before anybody waited.

A message goes to the first step that waits for it, in the order in which they began to wait; else it is kept. A
decision goes to the approval it names. Both are applied at most once for each message id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from contracts.json import Json
from contracts.names import ACTION_PUBLISH, ATTRIBUTE_LIMIT_BYTES, SIGNAL_APPROVE, SIGNAL_REJECT
from contracts.problems import REJECTED, VALIDATION, Problem, readable
from contracts.topics import topic_matches
from workflows.engine.decisions import refusal_of, size_of, tally
from workflows.engine.evaluation import (
    EvaluationError,
    View,
    evaluate,
    expression_problem,
    holds,
    moment,
    shown,
    touching,
)
from workflows.engine.events import Decision, Message
from workflows.engine.invoking import invoke
from workflows.engine.mailbox import (
    LONGEST_NAME,
    LONGEST_REASON,
    REFUSED_LIMIT,
    Document,
    binding,
    decision_document,
    decision_of,
    keep,
    message_document,
    repeated,
    take,
)
from workflows.engine.paths import open_step
from workflows.engine.saga import timeout_problem
from workflows.engine.state import Frame, Operation, Wait
from workflows.engine.turn import Broke, Diverted, Succeeded, Turn, step_path
from workflows.language.correlation import correlation_entries
from workflows.language.expressions.template import rendering_of
from workflows.language.plan import AnyNode, Approval, Execution, Receive


def start_approval(turn: Turn, frame: Frame, node: Approval) -> None:
    """Show the question and wait; decisions that came early count."""
    view = View(turn.state, frame)
    wait = _open_wait(turn, frame, node)
    with touching():
        wait.title = rendering_of(evaluate(view, node.title))
    wait.show = None if node.show is None else evaluate(view, node.show)
    wait.approvers = None if node.approvers is None else _names(evaluate(view, node.approvers))
    _publish_wait(turn, frame, node, wait)
    _start_reminder(turn, frame, node, wait)
    if node.escalate is not None and _comes_in_time(turn, wait, node.escalate.after):
        turn.start_timer(f"{wait.path}/escalate", frame, node.escalate.after, "escalate", f"{node.name}: escalation")
    for decision in _take_early_decisions(turn, wait):
        if tally(wait, node) is None:
            _decide(turn, wait, node, decision)


def start_receive(turn: Turn, frame: Frame, node: Receive) -> None:
    """Take what came early; wait for the rest."""
    wait = _open_wait(turn, frame, node)
    if node.correlate is not None:
        wait.correlation = _correlation(evaluate(View(turn.state, frame), node.correlate))
        _refuse_beyond_limit(turn, wait.correlation)
    room = node.count

    def wanted(document: Document) -> bool:
        nonlocal room
        takes = room > 0 and document["kind"] == "message" and _wanted(turn, frame, node, document)
        room -= takes
        return takes

    wait.messages = [_received(node, document) for document in take(turn, wanted)]
    if len(wait.messages) >= node.count:
        turn.agenda.append(Succeeded(frame.id, _messages(node, wait)))
    else:
        _publish_wait(turn, frame, node, wait)


def message_came(turn: Turn, message: Message) -> None:
    """Give a message to the step that waits for it, or keep it; a repeated one is dropped."""
    if repeated(turn, message.message_id):
        return
    document = message_document(message)
    for wait in turn.state.waits.values():
        node, frame = turn.plan.nodes[wait.node], turn.state.frames[wait.frame]
        if isinstance(node, Receive) and _open(node, wait) and _wanted(turn, frame, node, document):
            wait.messages.append(_received(node, document))
            if not _open(node, wait):
                turn.agenda.append(Succeeded(frame.id, _messages(node, wait)))
            return
    keep(turn, document, message.name)


def decision_came(turn: Turn, decision: Decision) -> None:
    """Apply a decision to the approval it names; keep it if that does not wait yet."""
    if repeated(turn, decision.message_id):
        return
    wait = find_wait(turn, decision.step)
    if wait is None:
        keep(turn, decision_document(decision), SIGNAL_APPROVE if decision.approved else SIGNAL_REJECT)
        return
    node = turn.plan.nodes[wait.node]
    assert isinstance(node, Approval)
    _decide(turn, wait, node, decision)


def find_wait(turn: Turn, step: str) -> Wait | None:
    """Return the approval that waits and is called `step`: by its path or its step id; "" = the only one that waits."""
    return find_approval(turn.plan.nodes, turn.state.waits, step)


def find_approval(nodes: Mapping[str, AnyNode], waits: Mapping[str, Wait], step: str) -> Wait | None:
    """Return the approval named `step` among `waits`: the oldest of that id; for "" the only one that waits."""
    waiting = [wait for wait in waits.values() if isinstance(nodes[wait.node], Approval)]
    if not step:
        return waiting[0] if len(waiting) == 1 else None
    return next((wait for wait in waiting if step in (wait.path, wait.node)), None)


def remind(turn: Turn, frame: Frame, node: Approval) -> None:
    """Publish the reminder and start the next."""
    assert node.remind is not None
    path = step_path(frame, node.id)
    wait = turn.state.waits[path]
    identity = f"{path}/reminder-{turn.state.sequence}"
    data: dict[str, Json] = {"workflow_id": turn.state.run["workflow_id"], "step": path, "title": wait.title}
    data |= {"show": wait.show, "since": _text(wait.since), "approvers": list(wait.approvers or [])}
    args: dict[str, Json] = {"event_type": node.remind.event, "data": data}
    operation = Operation("notice", frame.id, node.id)
    invoke(turn, identity, operation, ACTION_PUBLISH, args, Execution(), f"{node.name}: reminder")
    _start_reminder(turn, frame, node, wait)


def escalate(turn: Turn, frame: Frame, node: Approval) -> None:
    """Let more people decide."""
    assert node.escalate is not None
    wait = turn.state.waits[step_path(frame, node.id)]
    turn.state.touched.waits[wait.path] = wait
    added = _names(evaluate(View(turn.state, frame), node.escalate.approvers))
    if wait.approvers is not None:
        wait.approvers = list(dict.fromkeys([*wait.approvers, *added]))


def waited_too_long(turn: Turn, frame: Frame, node: Approval | Receive) -> None:
    """The time-out of an approval or a receive has come: do what the author said."""
    path = step_path(frame, node.id)
    wait = turn.state.waits[path]
    match node.on_timeout:
        case "approve" | "reject" if isinstance(node, Approval):
            _conclude(turn, wait, node, node.on_timeout == "approve", "timeout")
        case "continue" if isinstance(node, Receive):
            turn.agenda.append(Succeeded(frame.id, _so_far(node, wait)))
        case "step":
            turn.agenda.append(Diverted(frame.id, "timed-out", _so_far(node, wait), node.timeout_next))
        case _:
            turn.agenda.append(Broke(frame.id, timeout_problem(f"`{path}` waited too long.")))


def _start_reminder(turn: Turn, frame: Frame, node: Approval, wait: Wait) -> None:
    if node.remind is not None and _comes_in_time(turn, wait, node.remind.every):
        turn.start_timer(f"{wait.path}/remind", frame, node.remind.every, "remind", f"{node.name}: reminder")


def _comes_in_time(turn: Turn, wait: Wait, seconds: float) -> bool:
    """Tell whether so many seconds pass before the time-out; a timer that never matters costs events of the history."""
    return wait.due is None or turn.at + seconds * 1000 < wait.due


def _open_wait(turn: Turn, frame: Frame, node: Approval | Receive) -> Wait:
    path = step_path(frame, node.id)
    due = None if node.timeout is None else turn.at + round(node.timeout * 1000)
    return Wait(path, frame.id, node.id, turn.at, due=due)


def _publish_wait(turn: Turn, frame: Frame, node: Approval | Receive, wait: Wait) -> None:
    turn.state.waits[wait.path] = turn.state.touched.waits[wait.path] = wait
    open_step(turn, frame, node, "waiting")


def _decide(turn: Turn, wait: Wait, node: Approval, decision: Decision) -> None:
    turn.state.touched.waits[wait.path] = wait
    refusal = refusal_of(wait, node, decision)
    if refusal is not None:
        approver, reason = readable(decision.approver, LONGEST_NAME), readable(refusal.detail, LONGEST_REASON)
        wait.refused.append({"approver": approver, "at": _text(turn.at), "reason": reason})
        del wait.refused[:-REFUSED_LIMIT]
        wait.refused_count += 1
        return
    wait.decisions.append(
        {
            "approver": decision.approver,
            "decision": "approved" if decision.approved else "rejected",
            "at": _text(turn.at),
            "via": decision.via,
            "comment": decision.comment,
            "data": decision.data,
        }
    )
    wait.decisions_bytes += size_of(decision)
    approved = tally(wait, node)
    if approved is not None:
        _conclude(turn, wait, node, approved, "decision")


def _conclude(turn: Turn, wait: Wait, node: Approval, approved: bool, by: str) -> None:
    output = _approval_output(wait, approved, by)
    detail = "Nobody decided in time." if by == "timeout" else _who(wait, "approved" if approved else "rejected")
    if approved:
        turn.agenda.append(Succeeded(wait.frame, output, detail))
        return
    if node.on_reject is not None:
        turn.agenda.append(Diverted(wait.frame, "rejected", output, node.on_reject, detail))
        return
    extensions: dict[str, Json] = {"decisions": output["decisions"]}
    turn.agenda.append(
        Broke(wait.frame, Problem(REJECTED, f"{node.name}: rejected", 403, detail, extensions=extensions))
    )


def _approval_output(wait: Wait, approved: bool, by: str) -> dict[str, Json]:
    data: dict[str, Json] = {}
    for decision in wait.decisions:
        given = decision["data"]
        if isinstance(given, dict):
            data |= given
    decision_word: Json = "approved" if approved else "rejected"
    return {"decision": decision_word, "by": by, "decisions": list(wait.decisions), "data": data}


def _so_far(node: Approval | Receive, wait: Wait) -> Json:
    """What had come when the time was up: who had decided, or the messages."""
    if isinstance(node, Approval):
        return _approval_output(wait, approved=False, by="timeout")
    return _messages(node, wait) if wait.messages else None


def _who(wait: Wait, decision: str) -> str:
    """Return who decided so and why, for the step's row and the problem."""
    deciders = [entry for entry in wait.decisions if entry["decision"] == decision]
    words = [
        f"{entry['approver']}: {entry['comment']}" if entry["comment"] else f"{entry['approver']}" for entry in deciders
    ]
    return f"{decision.capitalize()} by {'; '.join(words)}."


def _take_early_decisions(turn: Turn, wait: Wait) -> list[Decision]:
    names = (wait.path, wait.node, "")
    mine = take(turn, lambda document: document["kind"] == "decision" and document["step"] in names)
    return [decision_of(document) for document in mine]


def _open(node: Receive, wait: Wait) -> bool:
    return len(wait.messages) < node.count


def _wanted(turn: Turn, frame: Frame, node: Receive, document: dict[str, Json]) -> bool:
    if node.signal is not None and document["name"] != node.signal:
        return False
    event = document["event"]
    if node.event is not None and not (isinstance(event, dict) and topic_matches(node.event, str(event.get("type")))):
        return False
    if node.match is None:
        return True
    try:
        return holds(View(turn.state, frame, {"event": binding(document)}), node.match)
    except EvaluationError:
        return False


def _received(node: Receive, document: dict[str, Json]) -> Json:
    return document["data"] if node.event is None else binding(document)


def _messages(node: Receive, wait: Wait) -> Json:
    return wait.messages[0] if node.count == 1 else list(wait.messages)


def _names(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        with touching():
            return [rendering_of(item) for item in value]
    raise EvaluationError(expression_problem(f"`approvers` gave {shown(value)}, not a list of names."))


def _correlation(value: Json) -> list[str]:
    if not isinstance(value, dict):
        raise EvaluationError(expression_problem("`correlate` must be a map of field to value."))
    with touching():
        return correlation_entries(value)


def _refuse_beyond_limit(turn: Turn, added: list[str]) -> None:
    """Fail the step whose entries no longer fit: Temporal would terminate the run, and nothing would be undone.

    Raises:
        EvaluationError: They do not fit.
    """
    before = [entry for wait in turn.state.waits.values() for entry in wait.correlation]
    size = len(json.dumps(before + added))
    if size <= ATTRIBUTE_LIMIT_BYTES:
        return
    detail = (
        f"What the {len(turn.state.waits) + 1} waiting steps are found by has {size:,} bytes, and a run may have "
        f"{ATTRIBUTE_LIMIT_BYTES:,}. Let fewer wait at once (`concurrency`), or correlate by shorter values."
    )
    raise EvaluationError(Problem(VALIDATION, "Too many steps wait for events", 422, detail))


def _text(at: int) -> str:
    return moment(at).isoformat().replace("+00:00", "Z")
