"""Parallel steps: their branches are apart from each other, and meet where `join` says.

In graph shape nothing but `join` tells where a branch ends. Branches that meet at any other step would run it
twice; a branch that never comes to the join, or goes round it to a step behind it, would leave the parallel step
waiting or run that step too early.
"""

from __future__ import annotations

from workflows.language import nodes
from workflows.language.check.context import Context, Rule
from workflows.language.check.flow import Flow
from workflows.language.check.ways import branch_entries


def _check(context: Context) -> None:
    for number, step in enumerate(context.steps):
        if isinstance(step, nodes.Parallel):
            _wait(context, step)
            if step.is_graph:
                _branches(context, number, step)


def _wait(context: Context, step: nodes.Parallel) -> None:
    if step.wait is None or step.wait.value == "all":
        return
    count, wanted = len(step.branches), step.wait.value
    if wanted != "any" and not 1 <= wanted <= count:
        message = f"`wait: {wanted}` does not fit {count} branches"
        context.report.error(step.wait.at, "bad-wait", message, f"all, any, or 1 to {count}")
    elif step.is_graph and step.join is None:
        message = f"`wait: {wanted}` has no effect without `join`: no step waits for the branches"
        context.report.error(step.wait.at, "bad-wait", message, "name the step where the branches meet in `join`")


def _branches(context: Context, number: int, step: nodes.Parallel) -> None:
    flow, siblings = context.flow, context.flow.places[number].siblings
    join = siblings.get(step.join.value) if step.join is not None else None
    stops = {number} if join is None else {number, join}
    entries = [text for text in branch_entries(step) if text.value in siblings]
    paths = [flow.path([siblings[text.value]], stops) for text in entries]
    _apart(context, step, entries, paths)
    if join is not None:
        behind = set(flow.path([join], {number}))
        for branch in zip(entries, paths, strict=True):
            _joins(context, step, branch, (join, behind))


def _apart(context: Context, step: nodes.Parallel, entries: list[nodes.Text], paths: list[list[int]]) -> None:
    """Report each branch that meets an earlier one, once."""
    for later in range(1, len(paths)):
        for earlier in range(later):
            shared = set(paths[earlier]) & set(paths[later])
            if shared:
                _meet(context, step, (entries[earlier], entries[later]), _first_of(context.flow, shared))
                break


def _first_of(flow: Flow, shared: set[int]) -> int:
    after = {target for number in shared for target in flow.successors(number)}
    return min(shared - after, default=min(shared))


def _meet(context: Context, step: nodes.Parallel, pair: tuple[nodes.Text, nodes.Text], number: int) -> None:
    meeting = context.steps[number].id.value
    message = f"the branches {pair[0].value!r} and {pair[1].value!r} of {step.id.value!r} meet at the step {meeting!r}"
    if step.join is None:
        context.report.error(step.id.at, "missing-join", f"{message}, but it has no `join`", f"add `join: {meeting}`")
    else:
        message = f"{message} before the join {step.join.value!r}"
        context.report.error(pair[1].at, "branches-meet", message, "give each branch steps of its own")


def _joins(
    context: Context, step: nodes.Parallel, branch: tuple[nodes.Text, list[int]], ends: tuple[int, set[int]]
) -> None:
    """Check that a branch (its name and steps) ends at the join, and at none of the steps behind it."""
    (entry, path), (join, behind) = branch, ends
    name, who = _id(context, join), f"the branch {entry.value!r} of {step.id.value!r}"
    passing = sorted(behind & set(path))
    if passing:
        message = f"{who} goes round the join {name!r} to {_id(context, passing[0])!r}"
        context.report.error(entry.at, "join-bypassed", message, f"let it end at {name!r}")
    elif path and not any(join in context.flow.successors(number) for number in path):
        hint = f"add `next: {name}` to {_id(context, path[-1])!r}"
        context.report.error(entry.at, "join-not-reached", f"{who} never reaches the join {name!r}", hint)


def _id(context: Context, number: int) -> str:
    return context.steps[number].id.value


RULE = Rule(
    _check,
    {
        "bad-wait": "`wait` of a parallel step does not fit its branches.",
        "missing-join": "Branches meet at a step, but the parallel step has no `join`.",
        "branches-meet": "Branches meet before their join.",
        "join-not-reached": "A branch never reaches the join.",
        "join-bypassed": "A branch goes round the join to a step behind it.",
    },
)
