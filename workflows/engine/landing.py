"""How the answer of an operation is taken in: by the step that waits for it, by a cancelled path, by the saga."""

from __future__ import annotations

from dataclasses import replace

from contracts.json import Json
from contracts.problems import Problem
from workflows.engine import blocks, saga, steps
from workflows.engine.events import Done, Failed
from workflows.engine.state import Armed, Frame, Operation
from workflows.engine.turn import Broke, PathBroke, PathSettled, Succeeded, Turn, scope_key, step_path


def done(turn: Turn, event: Done) -> None:
    """An operation has succeeded."""
    operation = turn.state.operations.pop(event.id, None)
    if operation is None or operation.kind == "notice":
        return
    if operation.kind == "undo":
        saga.undone(turn, event.id, operation.node, None)
        return
    frame = turn.state.frames[operation.frame]
    if frame.role == "batch":
        _batch_done(turn, frame, event)
    elif turn.state.phase == "settling" or frame.cancelling:
        _too_late(turn, frame, event)
    else:
        turn.agenda.append(Succeeded(frame.id, event.output))
    _settle(turn)


def failed(turn: Turn, event: Failed) -> None:
    """An operation has failed for good, or was cancelled."""
    operation = turn.state.operations.pop(event.id, None)
    if operation is None or operation.kind == "notice":
        return
    if operation.kind == "undo":
        saga.undone(turn, event.id, operation.node, event.problem)
        return
    frame = turn.state.frames[operation.frame]
    _take_over(turn, event.armed)
    if turn.state.phase == "settling" or frame.cancelling:
        _cancelled(turn, frame, operation, event.problem)
    elif frame.role == "batch":
        turn.agenda.append(PathBroke(frame.id, event.problem))
    else:
        turn.agenda.append(Broke(frame.id, _reason(frame, event.problem)))
    _settle(turn)


def _batch_done(turn: Turn, frame: Frame, event: Done) -> None:
    _take_over(turn, event.armed)
    turn.state.vars.update(event.variables)
    if turn.state.phase == "settling":
        return
    if frame.cancelling:
        turn.agenda.append(PathSettled(frame.id))
    elif event.whole:
        steps.conclude(turn, frame, event.output)
    else:
        blocks.batch_landed(turn, frame, event.output)


def _take_over(turn: Turn, armed: tuple[Json, ...]) -> None:
    """Take over what a slice has armed; it is undone with the rest of the run, or not at all."""
    turn.state.armed.extend(Armed(**entry) for entry in armed if isinstance(entry, dict))  # type: ignore[arg-type]  # as the slice wrote it


def _too_late(turn: Turn, frame: Frame, event: Done) -> None:
    """The step was cancelled but has had its effect all the same."""
    node = turn.node(frame)
    scope = turn.state.scopes[frame.scope]
    scope.steps[scope_key(node.id)] = {"output": event.output, "status": "completed", "error": None}
    turn.record(step_path(frame, node.id), "completed")
    saga.arm_unknown(turn, frame, node)
    _path_over(turn, frame)


def _cancelled(turn: Turn, frame: Frame, operation: Operation, problem: Problem) -> None:
    node = turn.plan.nodes[operation.node]
    if frame.role != "batch":
        if problem.outcome == "unknown":
            saga.arm_unknown(turn, frame, node)
        turn.record(step_path(frame, node.id), "cancelled")
    _path_over(turn, frame)


def _path_over(turn: Turn, frame: Frame) -> None:
    if turn.state.phase == "running":
        turn.agenda.append(PathSettled(frame.id))


def _reason(frame: Frame, problem: Problem) -> Problem:
    """Return the time-out that interrupted the step, if one did; the outcome is what the answer said."""
    interruption = frame.block.get("problem")
    if not isinstance(interruption, dict):
        return problem
    return replace(Problem.from_json(interruption), outcome=problem.outcome)


def _settle(turn: Turn) -> None:
    if turn.state.phase == "settling":
        saga.compensate_if_settled(turn)
