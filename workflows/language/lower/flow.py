"""Who comes after whom: successors in a list of steps, in either shape.

In sequence shape each step goes on to the next one (side steps at the end apart), in graph shape only to the step
that it names. A path that ends goes on where its list ends: nowhere in a block's body, behind the decision in a list
of one of its cases. The branches of a fork without `join` end for themselves, so within them a path that ends goes
nowhere, whatever list they stand in.
"""

from __future__ import annotations

from workflows.language import nodes
from workflows.language.check.ways import branch_entries, in_order, targets_of


def successors(
    steps: tuple[nodes.AnyStep, ...], after: str | None, failure_targets: frozenset[str]
) -> dict[str, str | None]:
    """Return the successor of each step of one list by id; `after` is where the list itself goes on."""
    if not nodes.StepList("steps", steps).is_graph:
        ordered = in_order(steps, failure_targets)
        following = [*(step.id.value for step in ordered[1:]), after, *(after for _ in steps[len(ordered) :])]
        return {step.id.value: target for step, target in zip(steps, following, strict=True)}
    apart = _in_open_branches(steps)
    return {step.id.value: _named(step, None if step.id.value in apart else after) for step in steps}


def _named(step: nodes.AnyStep, after: str | None) -> str | None:
    if isinstance(step, nodes.Parallel) and step.join is not None:
        return step.join.value
    return step.next[0].value if step.next else after


def _in_open_branches(steps: tuple[nodes.AnyStep, ...]) -> frozenset[str]:
    by_id = {step.id.value: step for step in steps}
    forks = [step for step in steps if isinstance(step, nodes.Parallel) and step.is_graph and step.join is None]
    open_ids = [entry.value for fork in forks for entry in branch_entries(fork)]
    found: set[str] = set()
    while open_ids:
        identity = open_ids.pop()
        if identity in by_id and identity not in found:
            found.add(identity)
            open_ids.extend(targets_of(by_id[identity]))
    return frozenset(found)
