"""The blocks: parallel, foreach, repeat, try. Each opens child frames and goes on when they have ended."""

from __future__ import annotations

from dataclasses import asdict

from contracts.json import Json
from contracts.problems import Problem
from workflows.engine.commands import StartChild
from workflows.engine.evaluation import (
    EvaluationError,
    View,
    about_run,
    evaluate,
    expression_problem,
    fitting,
    holds,
    shown,
)
from workflows.engine.events import Slice
from workflows.engine.paths import cancel_path, drained, fits, open_body, open_step
from workflows.engine.saga import runtime_problem
from workflows.engine.state import Frame, Operation
from workflows.engine.turn import Broke, Enter, PathBroke, Succeeded, Turn, step_path
from workflows.language.plan import Attempt, Catch, Foreach, Fork, Repeat

Block = Fork | Foreach | Repeat | Attempt


def start_fork(turn: Turn, frame: Frame, node: Fork) -> None:
    """Open a frame for each branch; branches share the scope around them."""
    open_step(turn, frame, node, "running")
    frame.block["results"] = {}
    for branch in node.branches:
        child = turn.open_frame(frame, "branch", branch.name, frame.scope, frame.prefix)
        child.stop = node.join
        turn.agenda.append(Enter(child.id, branch.entry))


def start_foreach(turn: Turn, frame: Frame, node: Foreach) -> None:
    """Open the first window of items.

    Raises:
        EvaluationError: `items` failed or is no list.
    """
    cut = turn.state.slice
    sliced = cut is not None and frame.parent is None and cut["node"] == node.id
    items = cut["items"] if cut is not None and sliced else evaluate(View(turn.state, frame), node.items)
    if not isinstance(items, list):
        raise EvaluationError(expression_problem(f"`items` gave {shown(items)}, not a list."))
    if not items:
        turn.agenda.append(Succeeded(frame.id, []))
        return
    open_step(turn, frame, node, "running")
    batch = node.batch if node.batch is not None and len(items) > node.batch and not sliced else 0
    frame.block |= {"items": items, "next": 0, "results": [None] * len(items), "batch": batch}
    frame.block["offset"] = cut["offset"] if cut is not None and sliced else 0
    _fill_window(turn, frame, node)


def start_repeat(turn: Turn, frame: Frame, node: Repeat) -> None:
    """Begin the first round."""
    open_step(turn, frame, node, "running")
    frame.block |= {"round": 0, "output": None}
    _next_round(turn, frame, node)


def start_attempt(turn: Turn, frame: Frame, node: Attempt) -> None:
    """Enter the body."""
    open_step(turn, frame, node, "running")
    open_body(turn, frame, "body", node.entry)


def child_ended(turn: Turn, frame: Frame, node: Block, child: Frame) -> None:
    """A path of the block has come to its end.

    Raises:
        EvaluationError: What is evaluated at the end of a path (`collect`, `carry`, `until`) failed.
    """
    match node:
        case Fork():
            _branch_ended(turn, frame, node, child)
        case Foreach():
            _item_ended(turn, frame, node, child)
        case Repeat():
            _round_ended(turn, frame, node, child)
        case Attempt():
            _body_ended(turn, frame, child)


def child_broke(turn: Turn, frame: Frame, node: Block, child: Frame, problem: Problem) -> None:
    """A path of the block has ended by a problem."""
    turn.close_frame(child)
    match node:
        case Attempt():
            _body_broke(turn, frame, node, child, problem)
        case Fork(cancel_on_error=False):
            frame.block.setdefault("problem", problem.to_json())
            if not frame.children:
                drained(turn, frame)
        case _:
            frame.block.setdefault("problem", problem.to_json())
            _cancel_children(turn, frame)


def batch_landed(turn: Turn, frame: Frame, output: Json) -> None:
    """A slice of a foreach has succeeded in its child workflow."""
    assert frame.parent is not None
    parent = turn.state.frames[frame.parent]
    node = turn.plan.nodes[parent.node or ""]
    assert isinstance(node, Foreach)
    assert isinstance(output, list)
    start = int(frame.label)
    _results(parent)[start : start + len(output)] = output
    turn.close_frame(frame)
    _go_on(turn, parent, node)


def start_batch(turn: Turn, frame: Frame, node: Foreach) -> None:
    """Start the child workflow of one slice; `frame` is the slice's."""
    if turn.state.full:
        turn.state.held.append([frame.id, node.id])
        return
    assert frame.parent is not None
    parent = turn.state.frames[frame.parent]
    start, size = int(frame.label), _number(parent, "batch")
    cut = _slice(turn, parent, node, start, _items(parent)[start : start + size])
    part = asdict(cut)
    try:
        fitting([turn.state.input, part], "A batch, with the run's input,")
    except EvaluationError as error:
        turn.agenda.append(PathBroke(frame.id, error.problem))
        return
    identity = f"{step_path(parent, node.id)}[{start}-{start + len(cut.items) - 1}]"
    frame.block["operation"] = identity
    turn.state.operations[identity] = Operation("child", frame.id, node.id)
    pinned = f"{turn.state.definition}@{turn.state.version}"
    turn.commands.append(StartChild(identity, pinned, turn.state.input, None, True, identity, slice=part))


def _branch_ended(turn: Turn, frame: Frame, node: Fork, child: Frame) -> None:
    results = frame.block["results"]
    assert isinstance(results, dict)
    results[child.label] = child.output
    turn.close_frame(child)
    if "problem" in frame.block and node.cancel_on_error:
        return
    if len(results) >= node.wait:
        frame.block.pop("problem", None)
        frame.block["output"] = {
            branch.name: results[branch.name] for branch in node.branches if branch.name in results
        }
        _cancel_children(turn, frame)
    elif not frame.children:
        drained(turn, frame)


def _item_ended(turn: Turn, frame: Frame, node: Foreach, child: Frame) -> None:
    value = child.output if node.collect is None else evaluate(View(turn.state, child), node.collect)
    _results(frame)[int(child.label) - _number(frame, "offset")] = value
    turn.close_frame(child)
    _go_on(turn, frame, node)


def _go_on(turn: Turn, frame: Frame, node: Foreach) -> None:
    if "problem" not in frame.block and not frame.cancelling:
        _fill_window(turn, frame, node)
    if not frame.children:
        frame.block["output"] = frame.block["results"]
        drained(turn, frame)


def _fill_window(turn: Turn, frame: Frame, node: Foreach) -> None:
    items, batch = _items(frame), _number(frame, "batch")
    width = max(1, node.concurrency // batch) if batch else node.concurrency
    while len(frame.children) < width and _number(frame, "next") < len(items):
        position = _number(frame, "next")
        frame.block["next"] = position + (batch or 1)
        _open_slice(turn, frame, node, position) if batch else _open_item(turn, frame, node, position, items[position])


def _open_item(turn: Turn, frame: Frame, node: Foreach, position: int, item: Json) -> None:
    index = position + _number(frame, "offset")
    scope = turn.open_scope(frame.scope, {node.item: item, node.index: index})
    prefix = f"{step_path(frame, node.id)}[{index}]/"
    child = turn.open_frame(frame, "item", str(index), scope, prefix)
    turn.agenda.append(Enter(child.id, node.entry))


def _open_slice(turn: Turn, frame: Frame, node: Foreach, position: int) -> None:
    child = turn.open_frame(frame, "batch", str(position), frame.scope, frame.prefix)
    turn.agenda.append(Enter(child.id, node.id))


def _slice(turn: Turn, frame: Frame, node: Foreach, start: int, items: list[Json]) -> Slice:
    steps: dict[str, Json] = {}
    names: dict[str, Json] = {}
    number: int | None = frame.scope
    while number is not None:
        scope = turn.state.scopes[number]
        steps = {**scope.steps, **steps}
        names = scope.names | names
        number = scope.parent
    return Slice(node.id, frame.prefix, start, items, steps, names, dict(turn.state.vars), about_run(turn.state))


def _next_round(turn: Turn, frame: Frame, node: Repeat) -> None:
    index = _number(frame, "round")
    scope = turn.open_scope(frame.scope, {node.index: index})
    child = turn.open_frame(frame, "round", str(index), scope, f"{step_path(frame, node.id)}[{index}]/")
    try:
        over = node.before is not None and not holds(View(turn.state, child), node.before)
    except EvaluationError as error:
        turn.close_frame(child)
        turn.agenda.append(Broke(frame.id, error.problem))
        return
    if over or index >= node.max:
        turn.close_frame(child)
        turn.agenda.append(Succeeded(frame.id, frame.block["output"]) if over else _too_many_rounds(frame, node))
        return
    frame.block["round"] = index + 1
    turn.agenda.append(Enter(child.id, node.entry))


def _too_many_rounds(frame: Frame, node: Repeat) -> Broke:
    detail = f"`{node.id}` has run {node.max} times, its `max`, and its condition still asks for more."
    return Broke(frame.id, runtime_problem("The loop did not end", detail))


def _round_ended(turn: Turn, frame: Frame, node: Repeat, child: Frame) -> None:
    view = View(turn.state, child)
    carried = {name: evaluate(view, template) for name, template in node.carry.items()}
    turn.state.vars.update(carried)
    over = node.after is not None and holds(view, node.after)
    frame.block["output"] = child.output
    turn.close_frame(child)
    if over:
        turn.agenda.append(Succeeded(frame.id, child.output))
    else:
        _next_round(turn, frame, node)


def _body_ended(turn: Turn, frame: Frame, child: Frame) -> None:
    if child.role != "final":
        frame.block["output"] = child.output
    turn.close_frame(child)
    drained(turn, frame)


def _body_broke(turn: Turn, frame: Frame, node: Attempt, child: Frame, problem: Problem) -> None:
    document = problem.to_json()
    taken = None
    try:
        taken = _catch(turn, frame, node, problem) if child.role == "body" else None
    except EvaluationError as error:
        document = error.problem.at(node.pointer).to_json()
    if taken is None:
        frame.block["problem"] = document
        drained(turn, frame)
        return
    frame.block["stage"] = "catch"
    scope = turn.open_scope(frame.scope, {taken.name: document})
    handler = turn.open_frame(frame, "catch", "catch", scope, frame.prefix)
    handler.error = document
    turn.agenda.append(Enter(handler.id, taken.entry))


def _catch(turn: Turn, frame: Frame, node: Attempt, problem: Problem) -> Catch | None:
    document = problem.to_json()
    for catch in node.catches:
        view = View(turn.state, frame, {"error": document, catch.name: document})
        if fits(catch.errors, problem) and (catch.when is None or holds(view, catch.when)):
            return catch
    return None


def _cancel_children(turn: Turn, frame: Frame) -> None:
    if not frame.children:
        drained(turn, frame)
        return
    for child in tuple(frame.children):
        cancel_path(turn, turn.state.frames[child])


def _items(frame: Frame) -> list[Json]:
    items = frame.block["items"]
    assert isinstance(items, list)
    return items


def _results(frame: Frame) -> list[Json]:
    results = frame.block["results"]
    assert isinstance(results, list)
    return results


def _number(frame: Frame, name: str) -> int:
    value = frame.block[name]
    assert isinstance(value, int)
    return value
