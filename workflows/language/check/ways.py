"""The steps that a step names: as ways on, as ways out of a failure, as its compensation.

The one place that knows which keys of which step type hold step ids; the flow, the check of references and the
check of parallels read them from here, each with its place in the file.
"""

from __future__ import annotations

from collections.abc import Iterator

from workflows.language import nodes


def targets_of(step: nodes.AnyStep) -> tuple[str, ...]:
    """Return the ids of the steps that `step` names as ways on, failures included; not its compensation."""
    return tuple(text.value for text in (*ways_on(step), *ways_out(step)))


def ways_on(step: nodes.AnyStep) -> Iterator[nodes.Text]:
    """Yield the steps named by `next`, the cases, the branches and `join`."""
    yield from step.next
    match step:
        case nodes.Decision():
            ways = (*(case.way for case in step.cases), *((step.otherwise,) if step.otherwise else ()))
            yield from (way.next for way in ways if way.next is not None)
        case nodes.Parallel():
            yield from branch_entries(step)
            if step.join is not None:
                yield step.join


def branch_entries(step: nodes.Parallel) -> tuple[nodes.Text, ...]:
    """Return the steps that start the branches of a parallel step in graph shape."""
    return tuple(branch.next for branch in step.branches if branch.next is not None)


def ways_out(step: nodes.AnyStep) -> Iterator[nodes.Text]:
    """Yield the steps named by `on_error`, `on_reject` and `on_timeout`."""
    yield from (handler.next for handler in step.handlers if handler.next is not None)
    if isinstance(step, nodes.Approval) and step.on_reject is not None:
        yield step.on_reject
    late = step.on_timeout if isinstance(step, nodes.Approval | nodes.Receive) else None
    if late is not None and late.value not in words_at(step, late):
        yield late


def words_at(step: nodes.AnyStep, place: nodes.Text) -> frozenset[str]:
    """Return the words that may stand at `place`, where `step` names another step, instead of one."""
    if isinstance(step, nodes.Approval | nodes.Receive) and place is step.on_timeout:
        return frozenset({"reject", "approve", "fail"} if isinstance(step, nodes.Approval) else {"fail", "continue"})
    return frozenset({"continue"} if any(place is handler.next for handler in step.handlers) else ())


def stops(step: nodes.AnyStep) -> bool:
    """Tell whether no path goes on after the step; one that `if` may skip does not stop."""
    return isinstance(step, nodes.End | nodes.Fail) and step.condition is None


def undo_of(step: nodes.AnyStep) -> nodes.Undo | None:
    """Return the step's own `compensate`."""
    return step.compensate if isinstance(step, nodes.Action | nodes.Emit | nodes.Workflow) else None


def failure_targets(definition: nodes.Definition) -> frozenset[str]:
    """Return the ids of the steps that some step names as a way out of a failure, or as a compensation."""
    found = {entry.undo.value for entry in definition.compensation}
    for step in nodes.walk(definition.steps):
        found.update(text.value for text in ways_out(step))
        undo = undo_of(step)
        if undo is not None and undo.step is not None:
            found.add(undo.step.value)
    return frozenset(found)


def in_order(steps: tuple[nodes.AnyStep, ...], failure_targets: frozenset[str]) -> tuple[nodes.AnyStep, ...]:
    """Return the steps of a list in sequence shape that follow each other.

    The steps at its end that handle a failure or compensate are side steps: only that way leads to them, and the path
    ends behind each.
    """
    count = len(steps)
    while count > 1 and steps[count - 1].id.value in failure_targets:
        count -= 1
    return steps[:count]
