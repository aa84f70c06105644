"""A plan as a Mermaid flowchart, for `saga graph`, pull requests and documentation.

Drawn from the plan, not from the source, so that the picture shows what runs: sequence and graph shape look alike
and defaults are explicit. Each kind of node has a shape of its own; blocks with a body (foreach, repeat, try) are
subgraphs; a compensation hangs on its step by a dashed edge; ways that only a failure takes are red. Mermaid
identifiers get a prefix, because words such as `end` are reserved there, and text is written with entities, so that
no label can break out of its quotes. The same plan gives the same text in every process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

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
    Handler,
    Pause,
    Plan,
    Raise,
    Receive,
    Repeat,
)

_ENTITIES = str.maketrans({"#": "#35;", "&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;"})
_FAILURE_STYLE = "stroke:#b3261e,color:#b3261e"
_LABEL_LENGTH = 60
_INDENT = "    "

Block = Foreach | Repeat | Attempt


def mermaid(plan: Plan) -> str:
    """Return the flowchart of `plan`; ends with a newline."""
    chart = _Chart(plan)
    chart.draw()
    return "\n".join(chart.text()) + "\n"


@dataclass(frozen=True)
class _Edge:
    source: str
    target: str
    label: str = ""
    arrow: str = "-->"
    failure: bool = False

    def text(self) -> str:
        label = f'|"{_escaped(self.label)}"|' if self.label else ""
        return f"{_INDENT}{self.source} {self.arrow}{label} {self.target}"


@dataclass
class _Chart:
    """The chart being drawn; `after` is always where a path that ends goes on, or None inside a body."""

    plan: Plan
    lines: list[str] = field(default_factory=list)
    edges: list[_Edge] = field(default_factory=list)
    drawn: set[str] = field(default_factory=set)
    depth: int = 1

    def draw(self) -> None:
        self.line('start(["start"])')
        self.path(self.plan.entry, "finish")
        for name in self.plan.nodes:
            self.path(name, None)
        self.line('finish(["end"])')
        self.edges.insert(0, _Edge("start", self.entrance(self.plan.entry)))

    def text(self) -> Iterator[str]:
        yield "flowchart TD"
        yield from self.lines
        # One compensating step may be reached from several places: the same edge is drawn once.
        edges = list(dict.fromkeys(self.edges))
        yield from (edge.text() for edge in edges)
        failures = [str(index) for index, edge in enumerate(edges) if edge.failure]
        if failures:
            yield f"{_INDENT}linkStyle {','.join(failures)} {_FAILURE_STYLE}"

    def line(self, text: str) -> None:
        self.lines.append(_INDENT * self.depth + text)

    def edge(self, source: str, target: str | None, label: str = "", *, failure: bool = False) -> None:
        if target is not None:
            self.edges.append(_Edge(source, target, label, failure=failure))

    def entrance(self, name: str) -> str:
        block = isinstance(self.plan.nodes[name], Block)
        return f"{'block' if block else 'step'}_{name.replace('-', '_')}"

    def goes_to(self, name: str | None, after: str | None) -> str | None:
        return after if name is None else self.entrance(name)

    def path(self, name: str | None, after: str | None) -> None:
        """Draw `name` and all that follows it in its list; each node once."""
        if name is None or name in self.drawn:
            return
        self.drawn.add(name)
        node = self.plan.nodes[name]
        if isinstance(node, Block):
            self.block(node)
        else:
            self.line(f"{self.entrance(name)}{_shape(node)}")
        self.ways_on(node, after)
        self.failure_ways(node, after)
        self.compensation(node)

    def block(self, node: Block) -> None:
        self.line(f'subgraph {self.entrance(node.id)}["{_label(node)}"]')
        self.depth += 1
        self.path(node.entry, None)
        if isinstance(node, Attempt):
            self.handlers(node)
        self.depth -= 1
        self.line("end")

    def handlers(self, node: Attempt) -> None:
        for catch in node.catches:
            self.path(catch.entry, None)
            label = f"catch {', '.join(catch.errors) or 'any error'}"
            self.edge(self.entrance(node.entry), self.entrance(catch.entry), label, failure=True)
        if node.final is not None:
            self.path(node.final, None)
            self.edge(self.entrance(node.entry), self.entrance(node.final), "finally")

    def ways_on(self, node: AnyNode, after: str | None) -> None:
        here = self.entrance(node.id)
        match node:
            case Decide():
                self.decision(node, here, after)
            case Fork():
                self.fork(node, here, after)
            case End():
                self.edge(here, "finish")
            case Raise():
                pass
            case _:
                self.edge(here, self.goes_to(node.next, after))
                self.path(node.next, after)

    def decision(self, node: Decide, here: str, after: str | None) -> None:
        for case in node.cases:
            self.edge(here, self.goes_to(case.next, after), case.when.text)
            self.path(case.next, after)
        self.edge(here, self.goes_to(node.otherwise, after), "else")
        self.path(node.otherwise, after)

    def fork(self, node: Fork, here: str, after: str | None) -> None:
        joined = self.goes_to(node.next, after)
        for branch in node.branches:
            self.edge(here, self.entrance(branch.entry), branch.name if branch.name != branch.entry else "")
            self.path(branch.entry, joined)
        self.path(node.next, after)

    def failure_ways(self, node: AnyNode, after: str | None) -> None:
        here = self.entrance(node.id)
        for handler in node.handlers:
            self.edge(here, self.goes_to(handler.next or node.next, after), _error_label(handler), failure=True)
            self.path(handler.next, after)
        if isinstance(node, Approval) and node.on_reject is not None:
            self.edge(here, self.entrance(node.on_reject), "rejected", failure=True)
            self.path(node.on_reject, after)
        if isinstance(node, Approval | Receive) and node.timeout_next is not None:
            self.edge(here, self.entrance(node.timeout_next), "timed out", failure=True)
            self.path(node.timeout_next, after)

    def compensation(self, node: AnyNode) -> None:
        if not isinstance(node, Act | Child) or node.undo is None:
            return
        target = f"undo_{node.id.replace('-', '_')}"
        if node.undo.step is not None and node.undo.step in self.plan.nodes:
            target = self.entrance(node.undo.step)
        else:
            self.line(f'{target}["{_escaped(node.undo.action)}"]')
        self.edges.append(_Edge(self.entrance(node.id), target, "compensate", "-.->"))


def _error_label(handler: Handler) -> str:
    label = f"on error {', '.join(handler.errors)}".rstrip()
    return label if handler.next is not None else f"{label}: continue"


def _shape(node: AnyNode) -> str:
    left, right = _BRACKETS.get(type(node), ("[", "]"))
    return f'{left}"{_label(node)}"{right}'


_BRACKETS = {
    Decide: ("{", "}"),
    Fork: ("{{", "}}"),
    Approval: ("[/", "/]"),
    Pause: ("((", "))"),
    Receive: (">", "]"),
    Child: ("[[", "]]"),
    Assign: ("(", ")"),
    Raise: ("[\\", "/]"),
    End: ("([", "])"),
}


def _label(node: AnyNode) -> str:
    condition = "" if node.condition is None else f"if {node.condition.text}"
    details = [_escaped(text) for text in (_detail(node), condition) if text]
    return "<br/>".join([_escaped(node.name), *(f"<small>{text}</small>" for text in details)])


def _detail(node: AnyNode) -> str:
    match node:
        case Act():
            return f"{node.action} (local)" if node.execution.local else node.action
        case Approval():
            return "approval" if node.quorum == 1 else f"approval by {node.quorum}"
        case Pause():
            return " ".join(str(template.value) for template in (node.duration, node.until) if template is not None)
        case Receive():
            return str(node.event or node.signal)
        case Child():
            return node.workflow
    return _block_detail(node)


def _block_detail(node: AnyNode) -> str:
    match node:
        case Fork():
            return f"{node.wait} of {len(node.branches)}"
        case Foreach():
            return f"for each {node.item}, {node.concurrency} at a time"
        case Repeat():
            return f"at most {node.max} rounds"
        case Attempt():
            return "try"
    return ""


def _escaped(text: str) -> str:
    line = " ".join(text.split())
    short = line if len(line) <= _LABEL_LENGTH else line[: _LABEL_LENGTH - 1] + "…"
    return short.translate(_ENTITIES)
