"""Where the paths of a run may stand in a plan: the check of names that both ways to another version share."""

from __future__ import annotations

from workflows.engine.state import Frame, State
from workflows.language.plan import AnyNode, Attempt, Fork, Plan
from workflows.language.reach import entries, reachable


def body_of(plan: Plan, state: State, frame: Frame) -> frozenset[str]:
    """Return the nodes of the plan that belong to the body in which a path of the run is; none = it has no such body.

    Args:
        plan: Any version of the run's definition.
        state: The run's state.
        frame: The path.
    """
    if frame.parent is None:
        return reachable(plan, [plan.entry], inside=False)
    block = plan.nodes.get(state.frames[frame.parent].node or "")
    starts = [] if block is None else _starts(block, frame)
    stop = block.join if isinstance(block, Fork) else None
    return reachable(plan, starts, inside=False, stop=stop)


def _starts(block: AnyNode, frame: Frame) -> list[str]:
    match block:
        case Fork():
            return [branch.entry for branch in block.branches if branch.name == frame.label]
        case Attempt() if frame.role == "catch":
            return [catch.entry for catch in block.catches]
        case Attempt() if frame.role == "final":
            return [] if block.final is None else [block.final]
    return list(entries(block))[:1]
