"""Every expression of a definition: where it stands, when it is evaluated and which names it may use.

The language has some thirty positions for expressions. They are listed here once, so that each rule about
expressions covers all of them, and so that what an expression sees is said in one place:

- steps: `input`, `vars`, `run`, `now`, the steps that can have run, and the names of the loops and catches around them;
- `key` of the definition: `input`, `run`, `now`, because it is evaluated before the first step;
- `sticky_by` of the rollout: `input` and `run`, of which there is only the key when a version is chosen;
- triggers: `event` alone, because there is no run yet; a schedule's input: nothing;
- `compensate` is evaluated when its step has succeeded, so it sees that step's output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from workflows.language import nodes
from workflows.language.check.flow import Flow, Scope, begin, broken, done, failed
from workflows.language.check.ways import undo_of
from workflows.language.tree import Position, Scalar, Tree

Names = tuple[tuple[str, Literal["item", "index", "error"], int], ...]
"""Local names: spelling, meaning, and the number of the step that gives the value."""

IN_STEPS = frozenset({"input", "vars", "run", "now"})
IN_KEY = frozenset({"input"})
IN_TRIGGER = frozenset({"event"})
IN_ROLLOUT = frozenset({"input", "run"})

STICKY_BY = "sticky_by"


@dataclass(frozen=True)
class Place:
    """An expression's place.

    Attributes:
        subject: A condition (bare CEL), or a value whose strings may hold expressions.
        what: The key, for messages and for the rules that look for certain places.
        roots: The roots that it may use.
        names: Local names in scope, outermost first.
        number: Step that it belongs to, or None.
        point: When it is evaluated, as a point of the flow; None = after all steps, or without any.
        scope: Innermost loop around it.
        sees_steps: Whether there are steps to see at all.
        hides: A step that it cannot see although the flow says so.
    """

    subject: nodes.Condition | Tree
    what: str
    roots: frozenset[str]
    names: Names = ()
    number: int | None = None
    point: int | None = None
    scope: Scope = None
    sees_steps: bool = False
    hides: int | None = None

    def local(self, name: str, meaning: Literal["item", "index", "error"], number: int) -> Place:
        """Return the place with one more local name."""
        return replace(self, names=(*self.names, (name, meaning, number)))


Subject = nodes.Condition | Tree | None


def places(definition: nodes.Definition, flow: Flow) -> Iterator[Place]:
    """Yield every expression of `definition`; positions that were not given are left out."""
    if definition.key is not None:
        yield Place(definition.key, "key", IN_KEY)
    for number in range(len(flow.steps)):
        yield from _Step(flow, number).places()
    if definition.output is not None:
        yield Place(definition.output, "output", IN_STEPS, sees_steps=True)
    for trigger in definition.triggers:
        yield from _trigger(trigger)
    if definition.rollout is not None and definition.rollout.sticky_by is not None:
        yield Place(definition.rollout.sticky_by, STICKY_BY, IN_ROLLOUT)


def _trigger(trigger: nodes.EventTrigger | nodes.ScheduleTrigger) -> Iterator[Place]:
    if isinstance(trigger, nodes.ScheduleTrigger):
        subjects: tuple[tuple[Subject, str], ...] = ((trigger.input, "schedule input"),)
        roots: frozenset[str] = frozenset()
    else:
        subjects, roots = _of_event(trigger), IN_TRIGGER
    yield from (Place(subject, what, roots) for subject, what in subjects if subject is not None)


def _of_event(trigger: nodes.EventTrigger) -> tuple[tuple[Subject, str], ...]:
    when = (trigger.when, "when")
    match trigger.does:
        case nodes.Start() as start:
            return when, (start.key, "key"), (start.input, "start input")
        case nodes.Signal() as signal:
            fields = signal.correlate.entries if signal.correlate is not None else ()
            correlated = tuple((entry.value, "correlate field") for entry in fields)
            return when, (signal.key, "key"), (signal.data, "data"), *correlated
        case nodes.Cancel() as cancel:
            return when, (cancel.key, "key")


def names_around(flow: Flow, number: int) -> Names:
    """Return the local names that the loops and catches around step `number` give, outermost first."""
    place = flow.places[number]
    if place.owner is None:
        return ()
    return names_around(flow, place.owner) + names_inside(flow, place.owner, place.body)


def names_inside(flow: Flow, owner: int, body: nodes.StepList) -> Names:
    """Return the local names that the step `owner` gives to its `body`."""
    match flow.steps[owner]:
        case nodes.Foreach() as step:
            return (_spelt(step.item, "item"), "item", owner), (_spelt(step.index, "index"), "index", owner)
        case nodes.Repeat() as step:
            return ((_spelt(step.index, "index"), "index", owner),)
        case nodes.Try() as step if body.kind == "catch":
            catch = next(catch for catch in step.catches if catch.steps is body.steps)
            return ("error", "error", owner), (_spelt(catch.name, "error"), "error", owner)
    return ()


def _spelt(text: nodes.Text | None, default: str) -> str:
    return text.value if text is not None else default


class _Step:
    """The expressions of one step."""

    def __init__(self, flow: Flow, number: int) -> None:
        self._flow, self._number, self._step = flow, number, flow.steps[number]
        around = names_around(flow, number)
        scope = flow.places[number].scope
        self._here = Place(_NOTHING, "", IN_STEPS, around, number, begin(number), scope, sees_steps=True)

    def places(self) -> Iterator[Place]:
        yield from self._each(self._here, (self._step.condition, "if"), *self._before())
        for handler in self._step.handlers:
            after = replace(self._here, point=broken(self._number)).local("error", "error", self._number)
            yield from self._each(after, (handler.when, "when"))
        yield from self._in_blocks()
        undo = undo_of(self._step)
        if undo is not None:
            yield from self._each(replace(self._here, point=done(self._number)), (undo.args, "compensate"))

    @staticmethod
    def _each(here: Place, *subjects: tuple[Subject, str]) -> Iterator[Place]:
        for subject, what in subjects:
            if subject is not None:
                yield replace(here, subject=subject, what=what)

    def _before(self) -> tuple[tuple[Subject, str], ...]:
        """What is evaluated when the step begins."""
        match self._step:
            case nodes.Decision() as step:
                return tuple((case.when, "when") for case in step.cases)
            case nodes.Approval() as step:
                more = step.escalate.approvers if step.escalate is not None else None
                return (step.title, "title"), (step.show, "show"), (step.approvers, "approvers"), (more, "approvers")
            case nodes.Emit() as step:
                message = ((step.event, "event"), (step.data, "data"), (step.version, "version"))
                return *message, (step.event_priority, "priority"), (step.key, "key")
        return tuple((getattr(self._step, name), key) for name, key in _KEYS.get(type(self._step), ()))

    def _in_blocks(self) -> Iterator[Place]:
        """What is evaluated inside a block, or with names of its own."""
        match self._step:
            case nodes.Receive() as step:
                with_event = replace(self._here, roots=IN_STEPS | IN_TRIGGER)
                yield from self._each(with_event, (step.match, "match"))
            case nodes.Foreach() as step:
                yield from self._each(self._inside(), (step.collect, "collect"))
            case nodes.Repeat() as step:
                index = _spelt(step.index, "index")
                yield from self._each(self._here.local(index, "index", self._number), (step.before, "while"))
                yield from self._each(self._inside(), (step.after, "until"), (step.carry, "carry"))
            case nodes.Try() as step:
                for catch in step.catches:
                    after = replace(self._here, point=failed(self._number)).local("error", "error", self._number)
                    named = after.local(_spelt(catch.name, "error"), "error", self._number)
                    yield from self._each(named, (catch.when, "when"))

    def _inside(self) -> Place:
        """At the end of a loop's body: all its steps are seen, the loop itself is not."""
        body = nodes.bodies(self._step)[0]
        names = self._here.names + names_inside(self._flow, self._number, body)
        number = self._number
        return replace(self._here, names=names, point=done(number), scope=number, hides=number)


_NOTHING = Scalar(None, Position(0, 0, 0))
_KEYS: Mapping[type[nodes.Step], tuple[tuple[str, str], ...]] = {
    nodes.Action: (("args", "with"),),
    nodes.Foreach: (("items", "items"),),
    nodes.Receive: (("correlate", "correlate"),),
    nodes.Wait: (("duration", "for"), ("until", "until")),
    nodes.Workflow: (("input", "input"), ("key", "key")),
    nodes.Set: (("vars", "vars"),),
    nodes.Fail: (("error", "error"),),
    nodes.End: (("output", "output"),),
}
"""Attributes that hold expressions, with their keys."""
