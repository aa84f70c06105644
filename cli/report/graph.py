"""A plan as an SVG picture in which the steps that take the most time stand out.

The colour of a node is its share of the time of all steps; `style.css` says which colour that is, by light and by dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from cli.report import units
from cli.report.layout import NODE_HEIGHT, NODE_WIDTH, Point, laid_out
from cli.report.markup import Markup, element
from store.report_figures import StepTimes, VersionReport
from workflows.language.plan import Act, AnyNode, Child, Plan

_NAME: Final = 23
_DETAIL: Final = 34
_HEATS: Final = (0.0, 0.02, 0.08, 0.2, 0.4)


def graph(plan: Plan, version: VersionReport) -> Markup:
    """Return the picture of a plan with the times of its steps."""
    layout = laid_out(plan)
    times = {step.step: step for step in version.main_steps}
    whole = sum(step.total for step in times.values())
    return element(
        "svg",
        (_edge(points, "edge failure" if edge.failure else "edge") for edge, points in layout.edges),
        (element("g", *_node(plan.nodes[name], at, times, whole)) for name, at in layout.nodes.items()),
        class_="graph",
        viewBox=f"0 0 {layout.width:.0f} {layout.height:.0f}",
        width=f"{layout.width:.0f}",
        height=f"{layout.height:.0f}",
        role="img",
        aria_label=f"The steps of {version.name}, coloured by time",
    )


def _node(node: AnyNode, at: Point, times: Mapping[str, StepTimes], whole: float) -> Iterator[Markup]:
    x, y = at
    step = times.get(node.id)
    part = step.total / whole if step and whole else 0.0
    yield element("title", f"{node.name} ({node.id})")
    yield element("rect", x=x, y=y, width=NODE_WIDTH, height=NODE_HEIGHT, rx=8, class_=f"node heat-{_heat(step, part)}")
    yield element("text", _cut(node.name, _NAME), x=x + 12, y=y + 19, class_="name")
    yield element("text", _cut(_detail(node, step, part), _DETAIL), x=x + 12, y=y + 35, class_="detail")
    if isinstance(node, Act | Child) and node.undo is not None:
        yield element("text", "↺", x=x + NODE_WIDTH - 12, y=y + 19, class_="undo", text_anchor="end")


def _heat(step: StepTimes | None, part: float) -> str:
    if step is None or not step.ended:
        return "none"
    return str(sum(part > limit for limit in _HEATS[1:]))


def _detail(node: AnyNode, step: StepTimes | None, part: float) -> str:
    if step is not None and step.ended:
        return f"{units.length(step.mean)} · {units.share(part)}"
    return _KINDS.get(type(node).__name__, "not entered")


_KINDS: Final = {
    "Decide": "decision",
    "Fork": "parallel",
    "Foreach": "for each",
    "Repeat": "repeat",
    "Attempt": "try",
    "End": "end",
    "Raise": "fail",
}


def _edge(points: tuple[Point, ...], kind: str) -> Markup:
    (x, y), *rest = points
    way = f"M{x:.1f} {y:.1f}"
    for to_x, to_y in rest:
        middle = (y + to_y) / 2
        way += f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
        x, y = to_x, to_y
    arrow = f"M{x - 4:.1f} {y - 6:.1f}L{x:.1f} {y:.1f}L{x + 4:.1f} {y - 6:.1f}"
    return element("path", d=way + arrow, class_=kind)


def _cut(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
