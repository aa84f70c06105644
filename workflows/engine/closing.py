"""How a turn closes, and how a run comes to its good end."""

from __future__ import annotations

from contracts.json import Json
from contracts.names import ATTRIBUTE_CORRELATION, ATTRIBUTE_STATUS
from contracts.problems import RUNTIME, Problem
from contracts.sizes import excess, too_large
from workflows.engine import carrying, saga, steps
from workflows.engine.commands import UpsertAttributes
from workflows.engine.evaluation import EvaluationError, View, evaluate
from workflows.engine.state import Frame, State
from workflows.engine.turn import ANSWERING_KINDS, Turn


def complete(turn: Turn, root: Frame) -> None:
    """End a run whose root path has come to its end."""
    if turn.state.slice is not None:
        _complete_slice(turn, root.output)
        return
    output = root.output
    if turn.plan.output is not None:
        try:
            output = evaluate(View(turn.state, root), turn.plan.output)
        except EvaluationError as error:
            saga.unwind(turn, "failure", error.problem.at("/output"))
            return
    steps.conclude(turn, root, output)


def _complete_slice(turn: Turn, output: Json) -> None:
    end = saga.slice_ended(turn.state, output)
    size = excess([end.result, list(end.armed), end.variables], any_depth=True)
    if size is not None:
        detail = f"{too_large('What a batch gives', size)} Make the batches smaller, or `collect` less."
        saga.unwind(turn, "failure", Problem(RUNTIME, "The result is too large", 413, detail))
        return
    turn.state.phase, turn.state.status = "ended", "completed"
    turn.commands.append(end)


def close(turn: Turn) -> None:
    """Say what changed for the outside: the status, what is waited for; continue as new when nothing is in flight."""
    state = turn.state
    if state.phase == "running":
        state.status = "waiting" if state.waits and not _busy(state) else "running"
    values: dict[str, str | list[str]] = {ATTRIBUTE_STATUS: state.status}
    correlation = [entry for wait in state.waits.values() for entry in wait.correlation]
    if correlation or state.attributes.get(ATTRIBUTE_CORRELATION):
        values[ATTRIBUTE_CORRELATION] = correlation
    changed = {name: value for name, value in values.items() if state.attributes.get(name) != value}
    if changed:
        state.attributes.update(changed)  # type: ignore[arg-type]  # text and lists of text are JSON
        _insert_before_end(turn, UpsertAttributes(changed))
    carrying.continue_if_drained(turn)


def _insert_before_end(turn: Turn, command: UpsertAttributes) -> None:
    ended = turn.state.phase == "ended" and turn.commands
    turn.commands.insert(len(turn.commands) - 1 if ended else len(turn.commands), command)


def _busy(state: State) -> bool:
    return any(operation.kind in ANSWERING_KINDS for operation in state.operations.values())
