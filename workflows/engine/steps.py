"""What the plain steps do when they are entered: act, child, wait, decide, set, fail, end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from contracts.json import Json
from contracts.names import ID_LIMIT_BYTES, fits_as_id, workflow_id
from contracts.problems import RUNTIME, VALIDATION, Problem
from contracts.sizes import excess, too_large
from workflows.engine.commands import StartChild
from workflows.engine.evaluation import (
    EvaluationError,
    View,
    evaluate,
    expression_problem,
    fitting,
    holds,
    milliseconds,
    shown,
    touching,
)
from workflows.engine.invoking import invoke
from workflows.engine.paths import open_step
from workflows.engine.saga import unwind
from workflows.engine.state import Frame, Operation, State
from workflows.engine.turn import Broke, Enter, Succeeded, Turn, scope_key, step_path
from workflows.language.durations import parse_duration
from workflows.language.expressions.template import Template
from workflows.language.plan import Act, Assign, Child, Decide, End, Pause, Raise

DEEPEST_RUN = 20
"""How many runs may stand above one, each a step of the one before."""


def start_act(turn: Turn, frame: Frame, node: Act) -> None:
    """Ask for the action; without `with` it is given the run's input."""
    if turn.state.draining:
        turn.state.held.append([frame.id, node.id])
        return
    args = turn.state.input if node.args is None else fitting(evaluate(View(turn.state, frame), node.args), "`with`")
    path = step_path(frame, node.id)
    turn.record(path, "running")
    invoke(turn, path, Operation("activity", frame.id, node.id), node.action, args, node.execution, node.name)


def start_child(turn: Turn, frame: Frame, node: Child) -> None:
    """Start the other definition's run."""
    if turn.state.full:
        turn.state.held.append([frame.id, node.id])
        return
    view = View(turn.state, frame)
    given = fitting(evaluate(view, node.input), "`input`")
    key = None if node.key is None else _child_key(node, key_text(evaluate(view, node.key)))
    if depth_of(turn.state) >= DEEPEST_RUN:
        detail = f"{DEEPEST_RUN} runs stand above it, each a step of the one before. Does a definition start itself?"
        raise EvaluationError(Problem(VALIDATION, "Runs are nested too deep", 422, detail))
    path = step_path(frame, node.id)
    open_step(turn, frame, node, "running")
    turn.state.operations[path] = Operation("child", frame.id, node.id)
    turn.commands.append(StartChild(path, node.workflow, given, key, node.wait, node.name))


def start_pause(turn: Turn, frame: Frame, node: Pause) -> None:
    """Wait for a duration or until a moment; what is past already costs no timer."""
    view = View(turn.state, frame)
    seconds = _seconds(view, node.duration) if node.duration is not None else _seconds_until(turn, view, node.until)
    if seconds <= 0:
        turn.agenda.append(Succeeded(frame.id, None))
        return
    open_step(turn, frame, node, "running")
    turn.start_timer(step_path(frame, node.id), frame, seconds, "pause", node.name)


def decide(turn: Turn, frame: Frame, node: Decide) -> None:
    """Go on at the first case that holds."""
    view = View(turn.state, frame)
    chosen = next((case.next for case in node.cases if holds(view, case.when)), node.otherwise)
    scope = turn.state.scopes[frame.scope]
    scope.steps[scope_key(node.id)] = {"output": chosen, "status": "completed", "error": None}
    turn.record(step_path(frame, node.id), "completed", "" if chosen is None else f"-> {chosen}")
    turn.agenda.append(Enter(frame.id, chosen))


def assign(turn: Turn, frame: Frame, node: Assign) -> None:
    """Assign the variables, all at once."""
    values = evaluate(View(turn.state, frame), node.vars)
    assert isinstance(values, dict)
    turn.state.vars.update(values)
    turn.agenda.append(Succeeded(frame.id, values))


def raise_problem(turn: Turn, frame: Frame, node: Raise) -> None:
    """Fail with the problem that the author wrote."""
    document = evaluate(View(turn.state, frame), node.error)
    if not isinstance(document, Mapping):
        detail = f"`error` gave {shown(document)}, not a problem such as {{type: out-of-stock, title: Nothing left}}."
        raise EvaluationError(expression_problem(detail))
    with touching():
        problem = Problem.from_json({"type": RUNTIME, "title": node.name, **document})
    turn.agenda.append(Broke(frame.id, problem))


def end_run(turn: Turn, frame: Frame, node: End) -> None:
    """Finish the run with success, wherever it stands; other paths are cancelled and settle first."""
    result = node.output if node.output is not None else turn.plan.output
    output = frame.output if result is None else evaluate(View(turn.state, frame), result)
    turn.record(step_path(frame, node.id), "completed")
    conclude(turn, frame, output)


def conclude(turn: Turn, frame: Frame, output: Json) -> None:
    """End the run well with `output`, once nothing is in flight; a path entered by `on_error` makes it recovered.

    A result that Temporal would not take fails the run instead: it would otherwise hang at its very end.
    """
    problem = _recovered_from(turn, frame)
    status: Json = "recovered"
    result = output if problem is None else {"status": status, "output": output, "problem": problem}
    size = excess(result, any_depth=True)  # what a loop collects is one level deeper than each of it
    if size is not None:
        unwind(turn, "failure", _too_large(size))
        return
    turn.state.recovered, turn.state.result = problem, result
    unwind(turn, "end", None)


def depth_of(state: State) -> int:
    """Return how many runs stand above this one."""
    depth = state.run.get("depth", 0)
    assert isinstance(depth, int)
    return depth


def _child_key(node: Child, key: str) -> str:
    if fits_as_id(workflow_id(node.workflow.partition("@")[0], key)):
        return key
    detail = f"With the definition's name it makes a workflow id, and may have {ID_LIMIT_BYTES:,} bytes: {shown(key)}."
    raise EvaluationError(Problem(VALIDATION, "The key is too long", 422, detail))


def key_text(value: Json) -> str:
    """Return a business key as text.

    Raises:
        EvaluationError: It is empty, or neither text nor a number.
    """
    if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
        with touching():  # a number of thousands of digits has no text
            return str(value)
    raise EvaluationError(Problem(VALIDATION, "A key must be text or a number", 422, f"The key is {shown(value)}."))


def _too_large(size: int) -> Problem:
    detail = f"{too_large('The result', size)} Name in `output` what is needed, or `collect` less."
    return Problem(RUNTIME, "The result is too large", 413, detail, "/output")


def _seconds(view: View, template: Template) -> float:
    value = evaluate(view, template)
    try:
        if isinstance(value, str | int | float):
            return parse_duration(value)
    except (ValueError, OverflowError) as error:
        raise EvaluationError(expression_problem(str(error))) from error
    raise EvaluationError(expression_problem(f"`for` gave {shown(value)}, which is no duration such as 5m."))


def _seconds_until(turn: Turn, view: View, template: Template | None) -> float:
    assert template is not None
    value = evaluate(view, template)
    try:
        until = datetime.fromisoformat(str(value))
        return (milliseconds(until) - turn.at) / 1000
    except (ValueError, TypeError, OverflowError) as error:
        detail = f"`until` gave {shown(value)}, which is no moment such as 2030-01-31T08:00:00Z (with its zone)."
        raise EvaluationError(expression_problem(detail)) from error


def _recovered_from(turn: Turn, frame: Frame) -> dict[str, Json] | None:
    current: Frame | None = frame
    while current is not None:
        if current.error is not None and current.role != "catch":
            return current.error
        current = None if current.parent is None else turn.state.frames[current.parent]
    return None
