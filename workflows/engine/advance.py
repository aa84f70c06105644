"""The engine: `advance(plan, state, event) -> (state, commands)`.

A pure function of its arguments: no clock but the event's, no randomness, no I/O, no Temporal. The state is
consumed: it is changed in place and handed back (see `state`). An event opens a turn; what it leads to is put on the
turn's agenda and worked off in order; what must be done outside comes out as commands. Whatever an expression does,
the worst that happens is that its step fails.
"""

from __future__ import annotations

from typing import assert_never

from contracts.problems import Problem
from workflows.engine import beginning, blocks, carrying, closing, landing, mailbox, paths, saga, steps, waiting
from workflows.engine.commands import Cancel, Command
from workflows.engine.evaluation import EvaluationError
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
    MessageRefused,
    Migrated,
    Resumed,
    StateTooLarge,
)
from workflows.engine.landed import landed_from_json
from workflows.engine.state import Frame, State, Touched
from workflows.engine.turn import (
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
    state.touched = Touched()
    state.sequence += 1
    state.now = event.at
    if state.phase != "ended":
        _take(turn, event)
        _work_off(turn)
        closing.close(turn)
    return state, turn.commands


def _take(turn: Turn, event: Event) -> None:
    match event:
        case Begun():
            beginning.begin(turn, event)
        case Done():
            landing.done(turn, event)
        case Failed():
            landing.failed(turn, event)
        case Fired():
            _fired(turn, event)
        case Message():
            waiting.message_came(turn, event)
        case MessageRefused():
            mailbox.refuse(turn, event.name, event.reason)
        case Decision():
            waiting.decision_came(turn, event)
        case CancelRequested():
            if turn.state.phase == "running":
                saga.unwind(turn, "cancel", saga.cancel_problem(event.reason))
        case DrainRequested():
            carrying.drain(turn)
        case StateTooLarge():
            carrying.stay(turn, event.size)
        case Continued():
            beginning.go_on(turn)
        case Resumed():
            _resume(turn, event)
        case Migrated():
            beginning.move(turn, event)
        case _:
            assert_never(event)


def _resume(turn: Turn, event: Resumed) -> None:
    """Go on where another run stood; what had happened there and was not taken in yet is taken in now."""
    beginning.resume(turn, event)
    for document in event.landed:
        _work_off(turn)
        if turn.state.phase == "running":
            landed = landed_from_json(document, event)
            _take(turn, landed)
            if isinstance(landed, Fired):
                turn.commands.append(Cancel(landed.id))  # it was started again with the others


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
        closing.complete(turn, frame)
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
