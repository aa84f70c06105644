"""The engine: `advance(plan, state, event) -> (state, commands)`.

A pure function of its arguments: no clock but the event's, no randomness, no I/O, no Temporal. The state is
consumed: it is changed in place and handed back (see `state`). An event opens a turn; what it leads to is put on the
turn's agenda and worked off in order; what must be done outside comes out as commands. Whatever an expression does,
the worst that happens is that its step fails.
"""

from __future__ import annotations

from typing import assert_never

from contracts.json import Json
from contracts.names import (
    ATTRIBUTE_CORRELATION,
    ATTRIBUTE_DEFINITION,
    ATTRIBUTE_KEY,
    ATTRIBUTE_STATUS,
    ATTRIBUTE_VERSION,
    pin,
)
from contracts.problems import VALIDATION, Problem
from workflows.engine import blocks, landing, paths, saga, steps, waiting
from workflows.engine.commands import Command, ContinueAsNew, UpsertAttributes
from workflows.engine.evaluation import EvaluationError, View, evaluate
from workflows.engine.events import (
    Begun,
    CancelRequested,
    Continued,
    Decision,
    Done,
    DrainRequested,
    Event,
    Failed,
    Fired,
    Message,
    RunInfo,
)
from workflows.engine.schemas import complaints
from workflows.engine.state import Frame, Operation, Scope, State
from workflows.engine.turn import (
    ANSWERING_KINDS,
    Broke,
    Diverted,
    Enter,
    PathBroke,
    PathEnded,
    PathSettled,
    Succeeded,
    Task,
    Turn,
)
from workflows.language.plan import (
    Act,
    AnyNode,
    Approval,
    Assign,
    Attempt,
    Child,
    Decide,
    End,
    Foreach,
    Fork,
    Pause,
    Plan,
    Raise,
    Receive,
    Repeat,
)

RUN_TIMER = "run/timeout"


def new_state(plan: Plan) -> State:
    """Return the state of a run that has not begun."""
    return State(plan.id, plan.version, plan.digest)


def advance(plan: Plan, state: State, event: Event) -> tuple[State, list[Command]]:
    """Take one event in.

    Args:
        plan: The version that the run is pinned to.
        state: The run's state; consumed.
        event: What happened. `Begun` comes first, once.

    Returns:
        The new state and what the shell must do, in order. A run that has ended takes every event and asks for nothing.
    """
    turn = Turn(plan, state, event.at)
    state.sequence += 1
    state.now = event.at
    if state.phase != "ended":
        _take(turn, event)
        _work_off(turn)
        _close(turn)
    return state, turn.commands


def _take(turn: Turn, event: Event) -> None:
    match event:
        case Begun():
            _begin(turn, event)
        case Done():
            landing.done(turn, event)
        case Failed():
            landing.failed(turn, event)
        case Fired():
            _fired(turn, event)
        case Message():
            waiting.message_came(turn, event)
        case Decision():
            waiting.decision_came(turn, event)
        case CancelRequested():
            if turn.state.phase == "running":
                saga.unwind(turn, "cancel", saga.cancel_problem(event.reason))
        case DrainRequested():
            turn.state.draining = not _has_children(turn.state)
        case Continued():
            _continue(turn)
        case _:
            assert_never(event)


def _begin(turn: Turn, event: Begun) -> None:
    plan, state = turn.plan, turn.state
    state.input = event.input
    state.run = _run(event.info, event.at)
    cut = event.slice
    state.scopes[0] = Scope(None, {}, {}) if cut is None else Scope(None, dict(cut.steps), dict(cut.names))  # type: ignore[arg-type]  # as another run's state held them
    root = Frame(0, None, "root", "", "" if cut is None else cut.prefix, 0)
    state.frames[0] = root
    state.next_frame = state.next_scope = 1
    problem = None if cut is not None else _input_problem(plan, event.input)
    if problem is None and cut is None:
        problem = _take_key(turn, root)
    _announce(turn)
    if problem is not None:
        saga.unwind(turn, "failure", problem)
        return
    if cut is not None:
        state.slice = {
            "node": cut.node,
            "offset": cut.offset,
            "items": cut.items,
            "run": cut.run,
            "vars": cut.variables,
        }
        state.vars = dict(cut.variables)
    elif plan.timeout is not None:
        due = event.at + round(plan.timeout * 1000)
        turn.schedule(RUN_TIMER, Operation("timer", -1, "", due, "run"), "Time-out of the run")
    turn.agenda.append(Enter(0, plan.entry if cut is None else cut.node))


def _run(info: RunInfo, at: int) -> dict[str, Json]:
    run: dict[str, Json] = {"id": info.id, "workflow_id": info.workflow_id, "key": info.key, "started_at": at}
    return run if info.correlation_id is None else run | {"correlation_id": info.correlation_id}


def _input_problem(plan: Plan, given: Json) -> Problem | None:
    if plan.input_schema is None:
        return None
    found = complaints(plan.input_schema, given)
    return (
        Problem(VALIDATION, "The input does not fit the definition", 422, "; ".join(found), "/input") if found else None
    )


def _take_key(turn: Turn, root: Frame) -> Problem | None:
    if turn.plan.key is None:
        return None
    try:
        turn.state.run["key"] = steps.key_text(evaluate(View(turn.state, root), turn.plan.key))
    except EvaluationError as error:
        return error.problem.at("/key")
    return None


def _announce(turn: Turn) -> None:
    state = turn.state
    values: dict[str, str | list[str]] = {
        ATTRIBUTE_DEFINITION: state.definition,
        ATTRIBUTE_VERSION: pin(state.version, state.digest),
        ATTRIBUTE_KEY: str(state.run["key"]),
        ATTRIBUTE_STATUS: state.status,
    }
    state.attributes = dict(values)  # type: ignore[arg-type]  # text and lists of text are JSON
    turn.commands.append(UpsertAttributes(values))


def _fired(turn: Turn, event: Fired) -> None:
    operation = turn.state.operations.pop(event.id, None)
    if operation is None or turn.state.phase != "running":
        return
    if operation.role == "run":
        saga.unwind(turn, "timeout", saga.timeout_problem(f"The run took longer than {turn.plan.timeout} s."))
        return
    frame = turn.state.frames[operation.frame]
    node = turn.plan.nodes[operation.node]
    try:
        _step_timer(turn, operation.role, frame, node)
    except EvaluationError as error:
        turn.agenda.append(Broke(frame.id, error.problem))


def _step_timer(turn: Turn, role: str, frame: Frame, node: AnyNode) -> None:
    match role:
        case "pause":
            turn.agenda.append(Succeeded(frame.id, None))
        case "remind" if isinstance(node, Approval):
            waiting.remind(turn, frame, node)
        case "escalate" if isinstance(node, Approval):
            waiting.escalate(turn, frame, node)
        case _ if isinstance(node, Approval | Receive):
            waiting.waited_too_long(turn, frame, node)
        case _:
            paths.interrupt(turn, frame, saga.timeout_problem(f"`{node.id}` took longer than {node.timeout} s."))


def _work_off(turn: Turn) -> None:
    agenda = turn.agenda
    while agenda:
        task = agenda.popleft()
        frame = turn.state.frames.get(task.frame)
        if frame is None:
            continue
        try:
            _work(turn, task, frame)
        except EvaluationError as error:
            agenda.append(_blame(task, error.problem))


def _work(turn: Turn, task: Task, frame: Frame) -> None:
    match task:
        case Enter():
            if not frame.cancelling:
                _enter(turn, frame, task.node)
        case Succeeded():
            paths.succeeded(turn, frame, task.output, task.detail)
        case Broke():
            paths.broke(turn, frame, task.problem)
        case Diverted():
            paths.diverted(turn, frame, task)
        case PathEnded():
            _path_ended(turn, frame)
        case PathBroke():
            _path_broke(turn, frame, task.problem)
        case PathSettled():
            paths.path_settled(turn, frame)
        case _:
            assert_never(task)


def _blame(task: Task, problem: Problem) -> Task:
    return PathBroke(task.frame, problem) if isinstance(task, PathEnded) else Broke(task.frame, problem)


def _enter(turn: Turn, frame: Frame, successor: str | None) -> None:
    if successor is None or successor == frame.stop:
        turn.agenda.append(PathEnded(frame.id))
        return
    node = turn.plan.nodes[successor]
    if frame.role == "batch" and isinstance(node, Foreach):
        frame.node = successor
        blocks.start_batch(turn, frame, node)
    elif _is_own_slice(turn, frame, node) or not paths.skips(turn, frame, node):
        _start(turn, frame, node)


def _is_own_slice(turn: Turn, frame: Frame, node: AnyNode) -> bool:
    """Place the frame of a slice at its foreach, whose condition the parent has asked already."""
    if not paths.is_slice(turn, frame, node):
        return False
    frame.node, frame.block = node.id, {}
    return True


def _start(turn: Turn, frame: Frame, node: AnyNode) -> None:
    match node:
        case Act():
            steps.start_act(turn, frame, node)
        case Decide():
            steps.decide(turn, frame, node)
        case Fork():
            blocks.start_fork(turn, frame, node)
        case Foreach():
            blocks.start_foreach(turn, frame, node)
        case Repeat():
            blocks.start_repeat(turn, frame, node)
        case Attempt():
            blocks.start_attempt(turn, frame, node)
        case Approval():
            waiting.start_approval(turn, frame, node)
        case Pause():
            steps.start_pause(turn, frame, node)
        case Receive():
            waiting.start_receive(turn, frame, node)
        case Child():
            steps.start_child(turn, frame, node)
        case Assign():
            steps.assign(turn, frame, node)
        case Raise():
            steps.raise_problem(turn, frame, node)
        case End():
            steps.end_run(turn, frame, node)
        case _:
            assert_never(node)


def _path_ended(turn: Turn, frame: Frame) -> None:
    if frame.cancelling:
        return
    if frame.parent is None:
        _complete(turn, frame)
        return
    parent = turn.state.frames[frame.parent]
    node = turn.node(parent)
    assert isinstance(node, blocks.Block)
    blocks.child_ended(turn, parent, node, frame)


def _path_broke(turn: Turn, frame: Frame, problem: Problem) -> None:
    if frame.parent is None:
        saga.unwind(turn, "failure", problem)
        return
    parent = turn.state.frames[frame.parent]
    node = turn.node(parent)
    assert isinstance(node, blocks.Block)
    blocks.child_broke(turn, parent, node, frame, problem)


def _complete(turn: Turn, root: Frame) -> None:
    if turn.state.slice is not None:
        turn.state.phase, turn.state.status = "ended", "completed"
        turn.commands.append(saga.slice_ended(turn.state, root.output))
        return
    output = root.output
    if turn.plan.output is not None:
        try:
            output = evaluate(View(turn.state, root), turn.plan.output)
        except EvaluationError as error:
            saga.unwind(turn, "failure", error.problem.at("/output"))
            return
    steps.conclude(turn, root, output)


def _close(turn: Turn) -> None:
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
    if state.draining and state.phase != "ended" and not _in_flight(state):
        turn.commands.append(ContinueAsNew())


def _insert_before_end(turn: Turn, command: UpsertAttributes) -> None:
    ended = turn.state.phase == "ended" and turn.commands
    turn.commands.insert(len(turn.commands) - 1 if ended else len(turn.commands), command)


def _continue(turn: Turn) -> None:
    state = turn.state
    state.draining = False
    for identity, operation in tuple(state.operations.items()):
        if operation.due is not None:
            turn.schedule(identity, operation, operation.node or "Time-out of the run")
    held, state.held = state.held, []
    for number, node in held:
        assert isinstance(number, int)
        assert isinstance(node, str)
        turn.agenda.append(Enter(number, node))
    if state.phase == "compensating":
        saga.compensate(turn)


def _busy(state: State) -> bool:
    return any(operation.kind in ANSWERING_KINDS for operation in state.operations.values())


def _in_flight(state: State) -> bool:
    return any(operation.kind != "timer" for operation in state.operations.values())


def _has_children(state: State) -> bool:
    return any(operation.kind == "child" for operation in state.operations.values())
