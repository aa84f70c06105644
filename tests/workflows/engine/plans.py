"""Random plans: every kind of step, blocks in blocks, handlers and compensations, made for the property tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from hypothesis import strategies as st

from contracts.json import Json
from workflows.language.canonical import sealed
from workflows.language.expressions.cel import Expression, compile_expression
from workflows.language.expressions.template import Template, compile_template
from workflows.language.plan import (
    Act,
    AnyNode,
    Approval,
    Assign,
    Attempt,
    Branch,
    Case,
    Catch,
    Child,
    Decide,
    End,
    Execution,
    Foreach,
    Fork,
    Handler,
    Pause,
    Plan,
    Raise,
    Receive,
    Repeat,
    SagaPolicy,
    Undo,
)

T = TypeVar("T")


def template(value: Json) -> Template:
    """Compile a template without names of loops."""
    return compile_template(value, frozenset())


TRUE, FALSE = (compile_expression(text, frozenset()) for text in ("true", "false"))
COUNTED = compile_expression("vars.count >= 2", frozenset())
NOTHING = template({})
TWO = template(["a", "b"])
THREE = template([1, 2, 3])
TITLE = template("Go on?")
PROBLEM = template({"type": "raised", "title": "Raised"})
MINUTE = template("1m")
SET_COUNT = template({"count": 2})
KINDS = (
    "act",
    "act",
    "act",
    "fork",
    "foreach",
    "repeat",
    "try",
    "decide",
    "pause",
    "approval",
    "receive",
    "child",
    "set",
    "fail",
)


@dataclass
class Garden:
    """Grows one plan; every step gets the next number as its id."""

    draw: st.DrawFn
    nodes: dict[str, AnyNode] = field(default_factory=dict)
    size: int = 0

    def identity(self, kind: str) -> str:
        self.size += 1
        return f"{kind}-{self.size}"

    def pick(self, *choices: T) -> T:
        return self.draw(st.sampled_from(choices))

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def chance(self, one_in: int) -> bool:
        return self.number(1, one_in) == 1

    def body(self, depth: int) -> str:
        """Grow a sequence of one to three steps and return the id of its first."""
        count = self.number(1, 3)
        successor: str | None = None
        for _ in range(count):
            successor = self.step(depth, successor)
        assert successor is not None
        return successor

    def step(self, depth: int, successor: str | None) -> str:
        kind = self.pick(*KINDS)
        if self.size > 24 or (depth == 0 and kind in ("fork", "foreach", "repeat", "try", "decide")):
            kind = "act"
        identity = self.identity(kind)
        node: AnyNode = getattr(self, f"_{kind}")(identity, depth, successor)
        self.nodes[identity] = node
        return identity

    def handlers(self, successor: str | None) -> tuple[Handler, ...]:
        if not self.chance(4):
            return ()
        target = self.pick(None, "new")
        return (Handler((), None, None if target is None else self.step(0, successor)),)

    def undo(self) -> Undo | None:
        return None if self.chance(4) else Undo("undo", NOTHING, Execution())

    def condition(self) -> Expression | None:
        return self.pick(None, None, None, None, FALSE, TRUE)

    def timeout(self) -> float | None:
        return self.pick(None, None, 30.0)

    def _act(self, identity: str, depth: int, successor: str | None) -> Act:
        return Act(
            id=identity,
            name=identity,
            next=successor,
            condition=self.condition(),
            handlers=self.handlers(successor),
            action="do",
            args=NOTHING,
            execution=Execution(),
            undo=self.undo(),
            pointer=f"/steps/{identity}",
        )

    def _child(self, identity: str, depth: int, successor: str | None) -> Child:
        return Child(
            id=identity,
            name=identity,
            next=successor,
            handlers=self.handlers(successor),
            timeout=self.timeout(),
            workflow="other",
            input=NOTHING,
            undo=self.undo(),
        )

    def _fork(self, identity: str, depth: int, successor: str | None) -> Fork:
        branches = tuple(Branch(f"b{number}", self.body(depth - 1)) for number in range(self.number(1, 3)))
        return Fork(
            id=identity,
            name=identity,
            next=successor,
            handlers=self.handlers(successor),
            timeout=self.timeout(),
            branches=branches,
            wait=self.number(1, len(branches)),
            cancel_on_error=self.chance(2),
        )

    def _foreach(self, identity: str, depth: int, successor: str | None) -> Foreach:
        return Foreach(
            id=identity,
            name=identity,
            next=successor,
            handlers=self.handlers(successor),
            timeout=self.timeout(),
            items=self.pick(TWO, THREE),
            item="item",
            index="index",
            concurrency=self.number(1, 3),
            entry=self.body(depth - 1),
            batch=self.pick(None, None, 2),
        )

    def _repeat(self, identity: str, depth: int, successor: str | None) -> Repeat:
        before, after = self.pick((None, TRUE), (None, FALSE), (None, COUNTED), (TRUE, None), (FALSE, None))
        return Repeat(
            id=identity,
            name=identity,
            next=successor,
            handlers=self.handlers(successor),
            entry=self.body(depth - 1),
            max=2,
            before=before,
            after=after,
            carry={"count": template(2)} if self.chance(2) else {},
        )

    def _try(self, identity: str, depth: int, successor: str | None) -> Attempt:
        catches = (Catch((), None, "problem", self.body(depth - 1)),) if self.chance(2) else ()
        return Attempt(
            id=identity,
            name=identity,
            next=successor,
            timeout=self.timeout(),
            entry=self.body(depth - 1),
            catches=catches,
            final=self.body(0) if self.chance(2) else None,
        )

    def _decide(self, identity: str, depth: int, successor: str | None) -> Decide:
        chosen = self.pick(TRUE, FALSE)
        case = Case(chosen, self.step(depth - 1, successor))
        return Decide(id=identity, name=identity, next=successor, cases=(case,), otherwise=successor)

    def _pause(self, identity: str, depth: int, successor: str | None) -> Pause:
        return Pause(id=identity, name=identity, next=successor, timeout=self.timeout(), duration=MINUTE)

    def _approval(self, identity: str, depth: int, successor: str | None) -> Approval:
        return Approval(
            id=identity,
            name=identity,
            next=successor,
            handlers=self.handlers(successor),
            timeout=self.timeout(),
            title=TITLE,
            on_timeout=self.pick("reject", "approve", "fail"),
        )

    def _receive(self, identity: str, depth: int, successor: str | None) -> Receive:
        return Receive(
            id=identity,
            name=identity,
            next=successor,
            handlers=self.handlers(successor),
            timeout=self.timeout(),
            signal="paid",
            on_timeout=self.pick("fail", "continue"),
        )

    def _set(self, identity: str, depth: int, successor: str | None) -> Assign:
        return Assign(id=identity, name=identity, next=successor, vars=SET_COUNT)

    def _fail(self, identity: str, depth: int, successor: str | None) -> Raise | End:
        if self.chance(3):
            return End(id=identity, name=identity)
        return Raise(
            id=identity, name=identity, handlers=self.handlers(successor), error=PROBLEM, pointer=f"/steps/{identity}"
        )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Random plans of 1 to about 30 steps."""
    garden = Garden(draw)
    entry = garden.body(3)
    return sealed(
        Plan(
            id="grown",
            version="1.0.0",
            name="Grown",
            nodes=garden.nodes,
            entry=entry,
            timeout=garden.pick(None, None, 3600.0),
            saga=SagaPolicy(order=garden.pick("reverse", "reverse", "parallel")),
        )
    )
