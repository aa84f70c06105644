"""Small plans made by hand, and libraries of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from contracts.json import Json
from workflows.language.canonical import sealed
from workflows.language.expressions.cel import compile_expression
from workflows.language.expressions.template import Template, compile_template
from workflows.language.library import Library
from workflows.language.plan import (
    Act,
    AnyNode,
    Approval,
    Branch,
    Child,
    Execution,
    Foreach,
    Fork,
    Pause,
    Plan,
    Receive,
    Repeat,
    Retry,
    Undo,
)
from workflows.language.triggers import Definition

ONCE = Retry(attempts=1)
REMOTE = Execution(attempt_timeout=10, retry=ONCE)
LOCAL = Execution(local=True, attempt_timeout=10, retry=ONCE)


def template(value: Json) -> Template:
    """Compile a template."""
    return compile_template(value)


def act(identity: str, action: str = "note", args: Json = None, **more: Any) -> Act:
    """A step that carries out a test action; it is tried once unless said otherwise."""
    values: dict[str, Any] = {"execution": REMOTE, "pointer": f"/steps/{identity}"} | more
    return Act(id=identity, name=identity, action=action, args=None if args is None else template(args), **values)


def undo(action: str = "undo", args: Json = None) -> Undo:
    """A compensation by a test action."""
    return Undo(action, template(args), REMOTE)


def approval(identity: str, **more: Any) -> Approval:
    """A step that waits for a decision."""
    return Approval(id=identity, name=identity, title=template(f"May {identity}?"), **more)


def receive(identity: str, signal: str, **more: Any) -> Receive:
    """A step that waits for a signal."""
    return Receive(id=identity, name=identity, signal=signal, **more)


def pause(identity: str, duration: str, **more: Any) -> Pause:
    """A step that waits for some time."""
    return Pause(id=identity, name=identity, duration=template(duration), **more)


def child(identity: str, workflow: str, given: Json = None, **more: Any) -> Child:
    """A step that starts another definition's run."""
    return Child(id=identity, name=identity, workflow=workflow, input=template(given), **more)


def foreach(identity: str, items: Json, entry: str, **more: Any) -> Foreach:
    """A loop over items."""
    values: dict[str, Any] = {"item": "item", "index": "index", "concurrency": 10} | more
    return Foreach(id=identity, name=identity, items=template(items), entry=entry, **values)


def fork(identity: str, branches: Mapping[str, str], **more: Any) -> Fork:
    """Paths taken at once, each by its name and the step that it begins with."""
    entries = tuple(Branch(name, entry) for name, entry in branches.items())
    return Fork(id=identity, name=identity, branches=entries, wait=len(entries), **more)


def repeat(identity: str, entry: str, until: str, **more: Any) -> Repeat:
    """A loop until a condition holds."""
    values: dict[str, Any] = {"max": 1000, "after": compile_expression(until)} | more
    return Repeat(id=identity, name=identity, entry=entry, **values)


def plan(identity: str, *nodes: AnyNode, version: str = "1.0.0", entry: str | None = None, **more: Any) -> Plan:
    """A sealed plan that begins at the first node given, or at `entry`."""
    known: Mapping[str, AnyNode] = {node.id: node for node in nodes}
    return sealed(Plan(identity, version, identity, known, entry or nodes[0].id, **more))


def chain(*nodes: AnyNode) -> tuple[AnyNode, ...]:
    """The nodes, each with the following one as its successor."""
    linked = [replace(node, next=following.id) for node, following in itertools.pairwise(nodes)]
    return (*linked, nodes[-1])


def library(*plans: Plan) -> Library:
    """The library of the plans."""
    return Library.of([definition(entry) for entry in plans])


def definition(entry: Plan) -> Definition:
    """The definition of a plan, without triggers."""
    return Definition(entry)
