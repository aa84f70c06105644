"""How a path is walked: a step is entered, succeeds or breaks; the path goes on, ends, or is cancelled.

These are the rules that hold for every kind of step. What a kind does when it is entered stands in `steps`,
`waiting` and `blocks`.
"""

from __future__ import annotations

from contracts.json import Json
from contracts.problems import Problem
from workflows.engine.evaluation import EvaluationError, View, holds
from workflows.engine.saga import arm, arm_unknown
from workflows.engine.state import Frame
from workflows.engine.turn import (
    Broke,
    Diverted,
    Enter,
    PathBroke,
    PathEnded,
    PathSettled,
    Succeeded,
    Turn,
    scope_key,
    step_path,
)
from workflows.language.plan import AnyNode, Approval, Attempt, Handler


def skips(turn: Turn, frame: Frame, node: AnyNode) -> bool:
    """Place the frame at `node`; if its condition is false, go on behind it and return True.

    Raises:
        EvaluationError: The condition failed.
    """
    frame.node, frame.block = node.id, {}
    if node.condition is None or holds(View(turn.state, frame), node.condition):
        return False
    _note(turn, frame, node, None, "skipped", None)
    turn.record(step_path(frame, node.id), "skipped")
    turn.agenda.append(Enter(frame.id, node.next))
    return True


def open_step(turn: Turn, frame: Frame, node: AnyNode, status: str) -> None:
    """Write the step's row and start the timer of its time-out."""
    path = step_path(frame, node.id)
    turn.record(path, status)
    if node.timeout is not None:
        turn.start_timer(f"{path}/timeout", frame, node.timeout, "timeout", f"{node.name}: time-out")


def succeeded(turn: Turn, frame: Frame, output: Json, detail: str) -> None:
    """Keep the output, arm the compensation, go on.

    Raises:
        EvaluationError: The arguments of the compensation could not be evaluated.
    """
    node = turn.node(frame)
    _close_step(turn, frame, node)
    frame.output = output
    _note(turn, frame, node, output, "completed", None)
    turn.record(step_path(frame, node.id), "completed", detail)
    arm(turn, frame, node)
    turn.agenda.append(PathEnded(frame.id) if is_slice(turn, frame, node) else Enter(frame.id, node.next))


def diverted(turn: Turn, frame: Frame, way: Diverted) -> None:
    """Keep the output and go on where it says."""
    node = turn.node(frame)
    _close_step(turn, frame, node)
    frame.output = way.output
    _note(turn, frame, node, way.output, way.status, None)
    turn.record(step_path(frame, node.id), way.status, way.detail)
    turn.agenda.append(Enter(frame.id, way.next))


def broke(turn: Turn, frame: Frame, problem: Problem) -> None:
    """Find the handler that takes the problem and go on there; else the path breaks."""
    node = turn.node(frame)
    _close_step(turn, frame, node)
    detail = "" if problem.instance else problem.detail or problem.title  # what broke inside has told it already
    problem = problem.at(node.pointer)
    document = problem.to_json()
    if problem.outcome == "unknown":
        arm_unknown(turn, frame, node)
    _note(turn, frame, node, None, "failed", document)
    turn.record(step_path(frame, node.id), "failed", detail, problem.type)
    try:
        handler = None if is_slice(turn, frame, node) else _handler(turn, frame, node, problem, document)
    except EvaluationError as error:
        turn.agenda.append(PathBroke(frame.id, error.problem.at(node.pointer)))
        return
    _handle(turn, frame, node, handler, problem, document)


def fits(types: tuple[str, ...], problem: Problem) -> bool:
    """Tell whether a list of problem types (empty = all) names the problem's."""
    return not types or problem.type in types or "*" in types


def cancel_path(turn: Turn, frame: Frame) -> None:
    """Start nothing more on this path and cancel what is in flight; `PathSettled` follows once nothing is."""
    if frame.cancelling:
        return
    frame.cancelling = True
    if frame.node is not None:
        _close_step(turn, frame, turn.plan.nodes[frame.node])
    if frame.children:
        for child in tuple(frame.children):
            cancel_path(turn, turn.state.frames[child])
    elif not turn.cancel(operation_id(frame)):
        turn.drop(operation_id(frame))
        turn.agenda.append(PathSettled(frame.id))


def interrupt(turn: Turn, frame: Frame, problem: Problem) -> None:
    """End the step at which the frame stands with `problem`, once what it has in flight has settled."""
    frame.block["problem"] = problem.to_json()
    if frame.children:
        for child in tuple(frame.children):
            cancel_path(turn, turn.state.frames[child])
    elif not turn.cancel(operation_id(frame)):
        turn.drop(operation_id(frame))
        turn.agenda.append(Broke(frame.id, problem))


def drained(turn: Turn, frame: Frame) -> None:
    """Go on with a block that has no child left: its `finally`, its cancellation, its problem, or its output."""
    node = turn.node(frame)
    if isinstance(node, Attempt) and node.final is not None and frame.block.get("stage") != "final":
        open_body(turn, frame, "final", node.final)
    elif frame.cancelling:
        turn.agenda.append(PathSettled(frame.id))
    elif "problem" in frame.block:
        document = frame.block["problem"]
        assert isinstance(document, dict)
        turn.agenda.append(Broke(frame.id, Problem.from_json(document)))
    else:
        turn.agenda.append(Succeeded(frame.id, frame.block.get("output")))


def open_body(turn: Turn, frame: Frame, stage: str, entry: str) -> Frame:
    """Enter one body of a `try`; it shares the scope around it."""
    frame.block["stage"] = stage
    child = turn.open_frame(frame, stage, stage, frame.scope, frame.prefix)
    turn.agenda.append(Enter(child.id, entry))
    return child


def path_settled(turn: Turn, frame: Frame) -> None:
    """Forget a cancelled path; its block goes on once all have settled."""
    if frame.node is not None and frame.role != "batch":
        _mark_cancelled(turn, step_path(frame, frame.node))
    assert frame.parent is not None
    parent = turn.state.frames[frame.parent]
    turn.close_frame(frame)
    if not parent.children:
        drained(turn, parent)


def operation_id(frame: Frame) -> str:
    """Return the id of the operation that the frame's step has in flight, if it has one."""
    named = frame.block.get("operation")
    return named if isinstance(named, str) else step_path(frame, frame.node or "")


def _mark_cancelled(turn: Turn, path: str) -> None:
    row = turn.state.records.get(path)
    if row is not None and row.ended is None:
        turn.record(path, "cancelled")


def _close_step(turn: Turn, frame: Frame, node: AnyNode) -> None:
    path = step_path(frame, node.id)
    if node.timeout is not None:
        turn.drop(f"{path}/timeout")
    if isinstance(node, Approval):
        turn.drop(f"{path}/remind")
        turn.drop(f"{path}/escalate")
    wait = turn.state.waits.pop(path, None)
    if wait is not None:
        turn.state.touched.waits[path] = wait


def _note(turn: Turn, frame: Frame, node: AnyNode, output: Json, status: str, error: Json) -> None:
    steps = turn.state.scopes[frame.scope].steps
    steps[scope_key(node.id)] = {"output": output, "status": status, "error": error}


def _handler(turn: Turn, frame: Frame, node: AnyNode, problem: Problem, document: dict[str, Json]) -> Handler | None:
    view = View(turn.state, frame, {"error": document})
    for handler in node.handlers:
        if fits(handler.errors, problem) and (handler.when is None or holds(view, handler.when)):
            return handler
    return None


def _handle(
    turn: Turn, frame: Frame, node: AnyNode, handler: Handler | None, problem: Problem, document: dict[str, Json]
) -> None:
    if handler is None:
        turn.agenda.append(PathBroke(frame.id, problem))
        return
    frame.output = None
    if handler.next is None:
        turn.agenda.append(Enter(frame.id, node.next))
    else:
        frame.error = document
        turn.agenda.append(Enter(frame.id, handler.next))


def is_slice(turn: Turn, frame: Frame, node: AnyNode) -> bool:
    """Tell whether the frame stands for a slice of the foreach `node`, which another run has entered."""
    cut = turn.state.slice
    return cut is not None and frame.parent is None and node.id == cut["node"]
