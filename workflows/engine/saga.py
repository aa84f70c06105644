"""The saga: what is armed, how a run unwinds, how it ends.

A run unwinds in two phases. **Settling**: nothing new starts, all that is in flight is cancelled and awaited,
because only a settled step tells whether its compensation is due. **Compensating**: the armed compensations run in
reverse order of completion, each once, shielded from any further cancellation; one that fails for good is written
down and the others go on.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Final

from contracts.json import Json, NotJsonError, encode
from contracts.problems import CANCELLED, RUNTIME, TIMEOUT, Problem, readable
from contracts.sizes import excess
from workflows.engine.commands import CancelRun, Command, Complete, Fail
from workflows.engine.evaluation import EvaluationError, View, evaluate, fitting
from workflows.engine.invoking import invoke, run_key
from workflows.engine.state import Armed, Cause, Frame, Operation, State, Status
from workflows.engine.turn import ANSWERING_KINDS, Turn, step_path
from workflows.language.plan import Act, AnyNode, Child, Undo

LEFT_WHOLE: Final = 100
"""Problems of what could not be undone that are kept with all that they say; of the others their first words."""
_LEFT_LIMIT_BYTES: Final = 16 * 1024  # of each one's other members
_LONGEST_OF_MANY: Final = 200


def undo_of(node: AnyNode) -> Undo | None:
    """Return the compensation of a node that acts, or None."""
    return node.undo if isinstance(node, Act | Child) else None


def arm(turn: Turn, frame: Frame, node: AnyNode) -> None:
    """Arm the compensation of a step that has succeeded, with its arguments as they are now.

    Raises:
        EvaluationError: They could not be evaluated; what is left to undo is kept all the same.
    """
    undo = undo_of(node)
    if undo is None:
        return
    try:
        args = _arguments(turn, frame, undo)
    except EvaluationError as error:
        _append(turn, frame, node, undo, None, error.problem)
        raise
    _append(turn, frame, node, undo, args, None)


def _arguments(turn: Turn, frame: Frame, undo: Undo) -> Json:
    if undo.args is None:
        return turn.state.input
    return fitting(evaluate(View(turn.state, frame), undo.args), "`with` of the compensation")


def arm_unknown(turn: Turn, frame: Frame, node: AnyNode) -> None:
    """Arm the compensation of a step that may have had its effect; what cannot be evaluated is reported at the end."""
    try:
        arm(turn, frame, node)
    except EvaluationError:
        return


def unwind(turn: Turn, cause: Cause, problem: Problem | None) -> None:
    """Stop all work, and compensate once everything in flight has settled."""
    state = turn.state
    state.phase, state.cause, state.problem = "settling", cause, None if problem is None else problem.to_json()
    turn.agenda.clear()
    state.touched.waits.update(state.waits)
    state.waits.clear()
    state.held.clear()
    # A run that unwinds goes on here: an execution that continues as new could not end as cancelled.
    state.draining = state.full = False
    for identity in tuple(state.operations):
        if not turn.cancel(identity):
            turn.drop(identity)
    compensate_if_settled(turn)


def compensate_if_settled(turn: Turn) -> None:
    """Begin to compensate if nothing is in flight."""
    if any(operation.kind in ANSWERING_KINDS for operation in turn.state.operations.values()):
        return
    turn.state.phase = "compensating"
    turn.state.frames.clear()
    turn.state.scopes.clear()
    if turn.state.slice is not None and _hands_over(turn.state):
        finish(turn)
        return
    if _compensates(turn) or turn.state.slice is not None:
        turn.state.status = "compensating"
    else:
        turn.state.armed.clear()
    compensate(turn)


def compensate(turn: Turn) -> None:
    """Start the next compensation (or all of them, `order: parallel`); end the run when none is left."""
    state = turn.state
    while state.armed and not state.draining and (turn.plan.saga.order == "parallel" or not _undoing(state)):
        _start_undo(turn, state.armed.pop())
    if not state.armed and not _undoing(state):
        finish(turn)


def undone(turn: Turn, identity: str, node: str, problem: Problem | None) -> None:
    """Write down how a compensation went and go on."""
    path = identity.removesuffix("/compensate")
    if problem is None:
        turn.state.undone.append(path)
        _forget(turn.state, path)
        turn.record(identity, "completed")
    else:
        undo = undo_of(turn.plan.nodes[node])
        _leave(turn, path, "" if undo is None else undo.action, problem)
    compensate(turn)


def finish(turn: Turn) -> None:
    """End the run as its cause and the outcome of its saga say."""
    state = turn.state
    state.phase, state.status = "ended", _final_status(state)
    turn.commands.append(_ending(state))


def _append(turn: Turn, frame: Frame, node: AnyNode, undo: Undo, args: Json, problem: Problem | None) -> None:
    path = step_path(frame, node.id)
    document = None if problem is None else problem.at(node.pointer).to_json()
    if path in turn.state.keys:
        # A step that is done again in a resumed run; it is undone once.
        turn.state.armed = [entry for entry in turn.state.armed if entry.path != path]
    turn.state.armed.append(Armed(path, node.id, undo.action, args, run_key(turn.state, path), document))


def _compensates(turn: Turn) -> bool:
    return bool(turn.state.armed) and turn.state.cause in turn.plan.saga.on


def _forget(state: State, path: str) -> None:
    """Drop what was begun for `path` and has succeeded; the latest is the likeliest."""
    for index in range(len(state.remaining) - 1, -1, -1):
        if state.remaining[index].path == path:
            del state.remaining[index]
            return


def _undoing(state: State) -> bool:
    return any(operation.kind == "undo" for operation in state.operations.values())


def _start_undo(turn: Turn, armed: Armed) -> None:
    identity = f"{armed.path}/compensate"
    turn.state.remaining.append(armed)
    if armed.problem is not None:
        _leave(turn, armed.path, armed.action, Problem.from_json(armed.problem))
        return
    node = turn.plan.nodes[armed.node]
    undo = undo_of(node)
    assert undo is not None
    turn.record(identity, "running")
    operation = Operation("undo", -1, armed.node)
    invoke(turn, identity, operation, armed.action, armed.args, undo.execution, f"Undo: {node.name}", armed.key)


def _leave(turn: Turn, path: str, action: str, problem: Problem) -> None:
    left = turn.state.left
    left.append({"step": path, "action": action, "problem": _short(problem, whole=len(left) < LEFT_WHOLE)})
    turn.record(f"{path}/compensate", "failed", problem.detail or problem.title, problem.type)


def _short(problem: Problem, *, whole: bool) -> dict[str, Json]:
    """Return a problem as it is kept to the end: whoever could not be undone is told of, whatever their number."""
    if not whole:
        problem = replace(problem, detail=readable(problem.detail, _LONGEST_OF_MANY), extensions={})
    try:
        size = len(encode(dict(problem.extensions), any_depth=True))
    except NotJsonError as error:
        return replace(problem, extensions={"left_out": f"its other members: {error}"}).to_json()
    if size <= _LEFT_LIMIT_BYTES:
        return problem.to_json()
    return replace(problem, extensions={"left_out": f"its other members: {size:,} bytes"}).to_json()


def _final_status(state: State) -> Status:
    if state.problem is None:
        return "completed" if state.recovered is None else "recovered"
    if state.left:
        return "rollback-incomplete"
    if state.cause == "cancel":
        return "cancelled"
    if state.cause == "timeout":
        return "timed-out"
    return "compensated" if state.undone else "failed"


def _ending(state: State) -> Command:
    if state.slice is not None:
        return _ending_of_slice(state)
    if state.problem is None:
        return Complete(state.result)
    problem = Problem.from_json(state.problem)
    told = replace(problem, extensions=dict(problem.extensions) | _report(state))
    if state.cause == "cancel" and not state.left:
        return CancelRun(told)
    return Fail(told)


def slice_ended(state: State, output: Json) -> Complete:
    """Return the end of a slice that has gone well, with all that the run that it is a part of must know."""
    before = None if state.slice is None else state.slice.get("vars")
    known = before if isinstance(before, dict) else {}
    assigned = {name: value for name, value in state.vars.items() if name not in known or known[name] != value}
    return Complete(output, _handed_over(state), assigned)


def _ending_of_slice(state: State) -> Command:
    """A slice undoes nothing by itself: it hands over what it has armed to the run that it is a part of."""
    armed = _handed_over(state)
    if state.problem is None:
        return Complete(state.result, armed, whole=True)
    problem = Problem.from_json(state.problem)
    if state.left:
        problem = replace(problem, extensions=dict(problem.extensions) | _report(state))
    return CancelRun(problem) if state.cause == "cancel" and not armed and not state.left else Fail(problem, armed)


def _hands_over(state: State) -> bool:
    """Tell whether what a slice has armed can be told to the run that it is a part of; if not, it undoes it itself."""
    return excess(list(_handed_over(state)), any_depth=True) is None


def _report(state: State) -> dict[str, Json]:
    report: dict[str, Json] = {"saga_status": state.status}
    if state.undone:
        report["undone"] = list(state.undone)
    if state.left:
        report["left"] = list(state.left)
    return report


def _handed_over(state: State) -> tuple[Json, ...]:
    return tuple(asdict(entry) for entry in state.armed)


def cancel_problem(reason: str) -> Problem:
    """Return the problem of a run that was asked to stop."""
    return Problem(CANCELLED, "The run was cancelled", 499, reason)


def timeout_problem(detail: str) -> Problem:
    """Return the problem of a run or step that took too long."""
    return Problem(TIMEOUT, "It took too long", 504, detail)


def runtime_problem(title: str, detail: str) -> Problem:
    """Return the problem of a run that cannot go on."""
    return Problem(RUNTIME, title, 500, detail)
