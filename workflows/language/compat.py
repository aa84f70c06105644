"""What changed between two versions of a definition, and whom it concerns.

Runs keep their version, so nothing here breaks a run that is open. What breaks are those outside: who starts runs,
decides approvals, sends signals and events, or uses the result. *Breaking* = somebody outside has to change, or is
refused or not heard; *careful* = it works on, but otherwise, or open runs may not be able to move; *fine* = it adds
something. The input's JSON Schema is compared elsewhere (`bridge.schemas`), which this package does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from contracts.json import Json
from workflows.language.canonical import plan_to_json
from workflows.language.plan import Act, AnyNode, Approval, Child, Plan, Receive
from workflows.language.reach import successors
from workflows.language.triggers import Cancel, Definition, EventTrigger, ScheduleTrigger, Signal, Start
from workflows.language.versions import version_key

Severity = Literal["breaking", "careful", "fine"]
SEVERITIES: tuple[Severity, ...] = ("breaking", "careful", "fine")


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference; `what` names the part of the definition, such as `step pay` or `output`."""

    severity: Severity
    what: str
    text: str


def differences(old: Definition, new: Definition) -> tuple[Difference, ...]:
    """Return what changed from `old` to `new`, the worst first, without the schema of the input."""
    found = [
        *_identity(old, new),
        *_outside(old.plan, new.plan),
        *_steps(old.plan, new.plan),
        *_signals(old.plan, new.plan),
        *_events(old.plan, new.plan),
        *_triggers(old, new),
    ]
    return tuple(sorted(found, key=lambda each: SEVERITIES.index(each.severity)))


def _identity(old: Definition, new: Definition) -> Iterator[Difference]:
    if old.id != new.id:
        yield Difference("breaking", "id", f"It was {old.id} and is {new.id}: another definition.")
    elif old.version == new.version and old.plan.digest != new.plan.digest:
        yield Difference("breaking", "version", f"Both are {new.version}: a deployed version never changes.")
    elif version_key(new.version) < version_key(old.version):
        yield Difference("careful", "version", f"{new.version} is lower than {old.version}, which goes first.")


def _outside(old: Plan, new: Plan) -> Iterator[Difference]:
    """Compare what callers see: the key and the result."""
    if old.key != new.key:
        yield Difference("breaking", "key", "Runs get other keys: what is sent by the old ones does not find them.")
    if old.output is not None and new.output is None:
        yield Difference("breaking", "output", "The result is that of the last step now.")
    elif old.output != new.output:
        yield Difference(*_output(old, new))
    if old.timeout != new.timeout:
        yield Difference("careful", "timeout", f"It was {_seconds(old.timeout)} and is {_seconds(new.timeout)}.")
    if old.saga != new.saga:
        yield Difference("careful", "saga", "Rollback goes in another order, or after something else.")


def _output(old: Plan, new: Plan) -> tuple[Severity, str, str]:
    before = None if old.output is None else old.output.value
    after = None if new.output is None else new.output.value
    if isinstance(before, dict) and isinstance(after, dict):
        gone = sorted(before.keys() - after.keys())
        if gone:
            return "breaking", "output", f"It has no {', '.join(gone)} any more."
        if all(after[name] == before[name] for name in before):
            return "fine", "output", f"It has {', '.join(sorted(after.keys() - before.keys()))} besides."
    return "careful", "output", "The result is made in another way."


def _seconds(seconds: float | None) -> str:
    return "unlimited" if seconds is None else f"{seconds:g} s"


def _steps(old: Plan, new: Plan) -> Iterator[Difference]:
    gone = {name: node for name, node in old.nodes.items() if name not in new.nodes}
    added = {name: node for name, node in new.nodes.items() if name not in old.nodes}
    for name, later in _renamed(old, new, gone, added):
        del gone[name], added[later]
        yield _renaming(old.nodes[name], name, later)
    for name, node in gone.items():
        yield Difference(_for_deciders(node), f"step {name}", _gone(node))
    for name in added:
        yield Difference("fine", f"step {name}", "It is new.")
    for name, before in old.nodes.items():
        if name in new.nodes:
            yield from _changed(name, before, new.nodes[name])
    if old.entry != new.entry and old.entry in new.nodes:
        yield Difference("careful", f"step {new.entry}", f"Runs begin with it, not with {old.entry}.")


def _renamed(old: Plan, new: Plan, gone: Mapping[str, AnyNode], added: Mapping[str, AnyNode]) -> list[tuple[str, str]]:
    """Pair steps that do the same under another id, where there is one candidate only."""
    contents = {name: _content(new, node) for name, node in added.items()}
    pairs = []
    for name, node in gone.items():
        same = [later for later, content in contents.items() if content == _content(old, node)]
        if len(same) == 1:
            pairs.append((name, same[0]))
            del contents[same[0]]
    return pairs


def _content(plan: Plan, node: AnyNode) -> Json:
    """Return what a step does, without what it and others are called and where it leads."""
    bare = replace(node, id="", name="", pointer="", next=None, handlers=())
    return plan_to_json(replace(plan, nodes={"": bare}))["nodes"]


def _renaming(node: AnyNode, name: str, later: str) -> Difference:
    text = f"It is called {later} now; what names it (decisions, `steps.` in queries, open runs) knows the old name."
    return Difference(_for_deciders(node), f"step {name}", text)


def _for_deciders(node: AnyNode) -> Severity:
    """Approvals are named from outside by those who decide them."""
    return "breaking" if isinstance(node, Approval) else "careful"


def _gone(node: AnyNode) -> str:
    if isinstance(node, Approval):
        return "The approval is gone: decisions for it are not heard."
    return "It is gone; open runs that stand there cannot move."


def _changed(name: str, before: AnyNode, after: AnyNode) -> Iterator[Difference]:
    what = f"step {name}"
    if type(before) is not type(after):
        kinds = f"from {_kind(before)} to {_kind(after)}"
        yield Difference(_for_deciders(before), what, f"Its type changed {kinds}.")
        return
    match before, after:
        case Act(), Act() if before.action != after.action:
            yield Difference("careful", what, f"Its action was {before.action} and is {after.action}.")
        case Child(), Child() if before.workflow != after.workflow:
            yield Difference("careful", what, f"It started {before.workflow} and starts {after.workflow}.")
        case Approval(), Approval() if before.form != after.form:
            yield Difference("breaking", what, "Its form changed: decisions in the old form may be refused.")
        case Approval(), Approval() if before.approvers != after.approvers:
            yield Difference("careful", what, "Others may decide.")
        case Receive(), Receive() if before.count != after.count:
            yield Difference("careful", what, f"It waited for {before.count} messages and waits for {after.count}.")
    if isinstance(before, Act | Child) and isinstance(after, Act | Child) and before.undo != after.undo:
        yield Difference("careful", what, _undoing(before, after))
    if set(successors(before)) != set(successors(after)):
        yield Difference("careful", what, "It leads elsewhere.")


def _undoing(before: Act | Child, after: Act | Child) -> str:
    if after.undo is None:
        return "It is not undone any more."
    return "It is undone now." if before.undo is None else "It is undone in another way."


def _kind(node: AnyNode) -> str:
    return type(node).__name__.lower()


def _signals(old: Plan, new: Plan) -> Iterator[Difference]:
    for name in sorted(set(old.signals) - set(new.signals)):
        yield Difference("breaking", f"signal {name}", "No step waits for it any more: who sends it is not heard.")
    for name in sorted(set(new.signals) - set(old.signals)):
        yield Difference("fine", f"signal {name}", "A step waits for it.")


def _events(old: Plan, new: Plan) -> Iterator[Difference]:
    before, after = _awaited(old), _awaited(new)
    for pattern in sorted(before - after):
        yield Difference("breaking", f"event {pattern}", "No step waits for it any more.")
    for pattern in sorted(after - before):
        yield Difference("fine", f"event {pattern}", "A step waits for it.")


def _awaited(plan: Plan) -> set[str]:
    return {node.event for node in plan.nodes.values() if isinstance(node, Receive) and node.event is not None}


def _triggers(old: Definition, new: Definition) -> Iterator[Difference]:
    before, after = _by_name(old), _by_name(new)
    for name in before:
        if name not in after:
            yield Difference("breaking", f"trigger {name}", "It is gone.")
        elif before[name] != after[name]:
            yield Difference("careful", f"trigger {name}", "It takes other events, or does something else with them.")
    for name in after:
        if name not in before:
            yield Difference("fine", f"trigger {name}", "It is new.")


def _by_name(definition: Definition) -> Mapping[str, list[EventTrigger | ScheduleTrigger]]:
    found: dict[str, list[EventTrigger | ScheduleTrigger]] = {}
    for trigger in definition.triggers:
        found.setdefault(_name(trigger), []).append(trigger)
    return found


def _name(trigger: EventTrigger | ScheduleTrigger) -> str:
    if isinstance(trigger, ScheduleTrigger):
        return f"schedule {trigger.cron}"
    match trigger.does:
        case Start():
            return f"{trigger.event} (start)"
        case Signal(name=name):
            return f"{trigger.event} (signal {name})"
        case Cancel():
            return f"{trigger.event} (cancel)"
