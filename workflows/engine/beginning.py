"""How a run begins, how a slice of one begins, how a run goes on after continue-as-new or with another version."""

from __future__ import annotations

from contracts.json import Json
from contracts.names import ATTRIBUTE_DEFINITION, ATTRIBUTE_KEY, ATTRIBUTE_STATUS, ATTRIBUTE_VERSION, pin
from contracts.problems import VALIDATION, Problem
from workflows.engine import saga, steps
from workflows.engine.commands import UpsertAttributes
from workflows.engine.evaluation import EvaluationError, View, evaluate
from workflows.engine.events import Begun, Migrated, Resumed, RunInfo, Slice
from workflows.engine.schemas import complaints
from workflows.engine.state import Frame, Operation, Scope
from workflows.engine.turn import Enter, Turn
from workflows.language.plan import Approval, Plan

RUN_TIMER = "run/timeout"


def begin(turn: Turn, event: Begun) -> None:
    """Take the input in and enter the first step."""
    turn.state.input = event.input
    turn.state.engine = event.info.engine
    turn.state.run = _run(event.info, event.at)
    turn.state.next_frame = turn.state.next_scope = 1
    if event.slice is None:
        _begin_run(turn)
    else:
        _begin_slice(turn, event.slice)


def go_on(turn: Turn) -> None:
    """Arm the timers again, start what was held, and go on with a rollback."""
    state = turn.state
    state.draining = state.full = False
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


def resume(turn: Turn, event: Resumed) -> None:
    """Go on from the state of a run that had ended, as the run that `event.info` names; its events count from 1."""
    state, old = turn.state, turn.state.run
    state.sequence = 1
    if state.phase == "running" and not state.frames:
        begin(turn, Begun(event.at, event.info, state.input))
        state.run["origin"] = _origin(old)
        return
    state.engine = event.info.engine
    state.run = _run(event.info, event.at) | {"key": old["key"], "origin": _origin(old)}
    state.status = "compensating" if state.phase == "compensating" else "running"
    _announce(turn)
    landed = {document["id"] for document in event.landed if isinstance(document, dict) and "id" in document}
    for identity, operation in tuple(state.operations.items()):
        if operation.kind == "timer" and identity not in landed:
            _postpone(turn, identity, operation, event)
    go_on(turn)


def move(turn: Turn, event: Migrated) -> None:
    """Follow the version of the turn's plan from here on, in a new execution, so that its history has one plan only."""
    state = turn.state
    state.version, state.digest = event.version, event.digest
    state.draining = state.full = True
    state.attributes[ATTRIBUTE_VERSION] = pin(event.version, event.digest)
    turn.commands.append(UpsertAttributes({ATTRIBUTE_VERSION: pin(event.version, event.digest)}))


def _begin_run(turn: Turn) -> None:
    root = _root(turn, Scope(None), "")
    problem = _input_problem(turn.plan, turn.state.input) or _take_key(turn, root)
    _announce(turn)
    if problem is not None:
        saga.unwind(turn, "failure", problem)
        return
    if turn.plan.timeout is not None:
        due = turn.at + round(turn.plan.timeout * 1000)
        turn.schedule(RUN_TIMER, Operation("timer", -1, "", due, "run"), "Time-out of the run")
    turn.agenda.append(Enter(root.id, turn.plan.entry))


def _begin_slice(turn: Turn, part: Slice) -> None:
    scope = Scope(None, dict(part.steps), dict(part.names))  # type: ignore[arg-type]  # as another run's state held them
    root = _root(turn, scope, part.prefix)
    _announce(turn)
    turn.state.slice = {
        "node": part.node,
        "offset": part.offset,
        "items": part.items,
        "run": part.run,
        "vars": part.variables,
    }
    turn.state.vars = dict(part.variables)
    turn.agenda.append(Enter(root.id, part.node))


def _root(turn: Turn, scope: Scope, prefix: str) -> Frame:
    turn.state.scopes[0] = scope
    turn.state.frames[0] = root = Frame(0, None, "root", "", prefix, 0)
    return root


def _origin(old: dict[str, Json]) -> Json:
    """Return what expressions see of the run: id and start of the first one, with which earlier steps worked."""
    return old.get("origin") or {"id": old["id"], "started_at": old["started_at"]}


def _postpone(turn: Turn, identity: str, timer: Operation, event: Resumed) -> None:
    """Give a timer the time again that it had left; one that had fired, all of it; a pause ends when it would have."""
    assert timer.due is not None
    if timer.role == "pause":
        return
    left = timer.due - event.since
    if left <= 0:
        whole = _whole_time(turn.plan, timer)
        if whole is None:
            del turn.state.operations[identity]
            return
        left = round(whole * 1000)
    timer.due = event.at + left
    wait = turn.state.waits.get(identity.removesuffix("/timeout"))
    if timer.role == "timeout" and wait is not None:
        wait.due = timer.due


def _whole_time(plan: Plan, timer: Operation) -> float | None:
    if timer.role == "run":
        return plan.timeout
    node = plan.nodes[timer.node]
    if isinstance(node, Approval) and timer.role == "remind":
        return None if node.remind is None else node.remind.every
    if isinstance(node, Approval) and timer.role == "escalate":
        return None if node.escalate is None else node.escalate.after
    return node.timeout


def _run(info: RunInfo, at: int) -> dict[str, Json]:
    run: dict[str, Json] = {"id": info.id, "workflow_id": info.workflow_id, "key": info.key, "started_at": at}
    if info.correlation_id is not None:
        run["correlation_id"] = info.correlation_id
    if info.depth:
        run["depth"] = info.depth
    return run


def _input_problem(plan: Plan, given: Json) -> Problem | None:
    if plan.input_schema is None:
        return None
    found = complaints(plan.input_schema, given)
    if not found:
        return None
    return Problem(VALIDATION, "The input does not fit the definition", 422, "; ".join(found), "/input")


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
