"""Whether a run's state fits another version of its definition.

A static check of names: each node at which a path stands, or to which the state refers in another way, is there in
the new plan, does the same kind of thing, and lies in the same block. What the steps do may differ: that is what a
mended definition is for.
"""

from __future__ import annotations

from collections.abc import Iterator

from workflows.engine.places import body_of
from workflows.engine.state import Frame, State
from workflows.language.plan import Act, AnyNode, Approval, Attempt, Child, Foreach, Fork, Plan, Receive, Repeat


def misfits(state: State, plan: Plan) -> list[str]:
    """Return why the state cannot go on under `plan`, a sentence each; empty = it can."""
    found = []
    if state.definition != plan.id:
        found.append(f"The run is one of {state.definition}, not of {plan.id}.")
    return found + list(dict.fromkeys([*_frames(state, plan), *_armed(state, plan)]))


def _frames(state: State, plan: Plan) -> Iterator[str]:
    standing = {number: node for number, node in state.held if isinstance(number, int)}
    for frame in state.frames.values():
        name = standing.get(frame.id) or frame.node
        node = None if not isinstance(name, str) else plan.nodes.get(name)
        if name is not None and node is None:
            yield f"The run stands at step `{name}`, which {plan.version} does not have."
        elif name is not None and frame.role != "batch" and name not in body_of(plan, state, frame):
            yield f"The run stands at step `{name}`, which is in another place in {plan.version}."
        if frame.stop is not None and frame.stop not in plan.nodes:
            yield f"A branch ends at step `{frame.stop}`, which {plan.version} does not have."
        if node is not None:
            yield from _kind(state, plan, frame, node)


def _kind(state: State, plan: Plan, frame: Frame, node: AnyNode) -> Iterator[str]:
    block = _block_of(frame)
    if block is not None and not isinstance(node, block):
        yield f"Step `{node.id}` is being carried out, and is {_named(node)} in {plan.version}."
    waits = [wait for wait in state.waits.values() if wait.frame == frame.id]
    if waits and not isinstance(node, Approval | Receive):
        yield f"Step `{node.id}` waits for people or messages, and is {_named(node)} in {plan.version}."


def _block_of(frame: Frame) -> type[AnyNode] | None:
    """Return the kind of block that a frame with children has open, by what it keeps."""
    kept = frame.block
    if "items" in kept:
        return Foreach
    if "round" in kept:
        return Repeat
    if "stage" in kept:
        return Attempt
    return Fork if "results" in kept else None


def _armed(state: State, plan: Plan) -> Iterator[str]:
    for entry in state.armed:
        node = plan.nodes.get(entry.node)
        if not isinstance(node, Act | Child) or node.undo is None:
            yield f"`{entry.path}` may have to be undone, and {plan.version} has no compensation for it."


def _named(node: AnyNode) -> str:
    return f"a step of kind {type(node).__name__.lower()}"
