"""No path comes back to a step: the only loop is `repeat`, which has a bound."""

from __future__ import annotations

from workflows.language import nodes
from workflows.language.check.context import Context, Rule
from workflows.language.check.flow import Flow
from workflows.language.check.ways import ways_on, ways_out


def _check(context: Context) -> None:
    flow = context.flow
    visited: set[int] = set()
    for start in range(len(flow.steps)):
        for source, target in _ways_back(flow, start, visited):
            _report(context, flow.steps[source], flow.steps[target])


def _ways_back(flow: Flow, start: int, visited: set[int]) -> list[tuple[int, int]]:
    """Walk in depth from `start`, without recursion, and return the edges that lead back to a step on the way."""
    if start in visited:
        return []
    found, way = [], {start: iter(flow.successors(start))}
    visited.add(start)
    while way:
        here = next(reversed(way))
        target = next(way[here], None)
        if target is None:
            del way[here]
        elif target in way:
            found.append((here, target))
        elif target not in visited:
            visited.add(target)
            way[target] = iter(flow.successors(target))
    return found


def _report(context: Context, source: nodes.AnyStep, target: nodes.AnyStep) -> None:
    named = [text for text in (*ways_on(source), *ways_out(source)) if text.value == target.id.value]
    at = named[0].at if named else source.id.at
    message = f"the path from {source.id.value!r} comes back to {target.id.value!r}: a loop without a bound"
    context.report.error(at, "endless-loop", message, "put the steps into a step of `type: repeat` with `max`")


RULE = Rule(_check, {"endless-loop": "Steps lead back to each other by `next`; a loop needs `repeat` and `max`."})
