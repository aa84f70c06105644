"""Draws the flow of a definition: numbers its steps and connects their points.

The edges say what the engine does: a list in sequence shape goes on to the next step, one in graph shape only to
the steps that are named; a body ends where its block ends; a failure inside a block is a failure of the block
unless a `catch` takes it; `finally` comes after both; a compensating step sees what its step saw when it had
succeeded.
"""

from __future__ import annotations

from workflows.language import nodes
from workflows.language.check.flow import Flow, Place, Scope, begin, broken, done, failed
from workflows.language.check.ways import failure_targets, in_order, stops, undo_of, ways_on, ways_out


def flow_of(definition: nodes.Definition) -> Flow:
    """Work out the flow of `definition`; unknown targets are left out."""
    flow = Flow(tuple(nodes.walk(definition.steps)))
    _Builder(flow).build(definition)
    return flow


class _Builder:
    """Numbers the steps as `nodes.walk` does and draws the edges."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._failure_targets: frozenset[str] = frozenset()
        self._entries: dict[int, int] = {}  # by the identity of a body's steps: the number of its first step

    def build(self, definition: nodes.Definition) -> None:
        self._failure_targets = failure_targets(definition)
        self._number(nodes.StepList("steps", definition.steps), None, None)
        for number in range(len(self._flow.steps)):
            self._edges_of(number)
        for entry in definition.compensation:
            self._compensation(entry.step.value, entry.undo.value)
        for step in self._flow.steps:
            undo = undo_of(step)
            if undo is not None and undo.step is not None:
                self._compensation(step.id.value, undo.step.value)

    def _number(self, body: nodes.StepList, owner: int | None, scope: Scope) -> None:
        siblings: dict[str, int] = {}
        ordered = body.steps if body.is_graph else in_order(body.steps, self._failure_targets)
        for position, step in enumerate(body.steps):
            number = len(self._flow.places)
            if position >= len(ordered):
                self._flow.aside.add(number)
            siblings.setdefault(step.id.value, number)
            self._flow.places.append(Place(body, siblings, owner, scope))
            for inner in nodes.bodies(step):
                self._entries[id(inner.steps)] = len(self._flow.places)
                looped = inner.kind in ("foreach", "repeat")
                self._number(inner, number, number if looped else scope)

    def _add(self, source: int, target: int | None) -> None:
        if target is not None and target not in self._flow.edges[source]:
            self._flow.edges[source].append(target)

    def _edges_of(self, number: int) -> None:
        step = self._flow.steps[number]
        self._add(begin(number), failed(number))
        self._add(failed(number), broken(number))
        self._failure(number)
        self._ways_out(number, step)
        if not stops(step):
            self._success(number, step)
        self._bodies(number, step)

    def _failure(self, number: int) -> None:
        place = self._flow.places[number]
        if place.owner is not None:
            handled = place.body.kind not in ("catch", "finally")
            self._add(broken(number), failed(place.owner) if handled else broken(place.owner))
        step = self._flow.steps[number]
        for handler in step.handlers:
            if handler.next is None:
                self._add(broken(number), done(number))
        if isinstance(step, nodes.Parallel):
            for inner in self._flow.region(number):
                self._add(broken(inner), failed(number))

    def _success(self, number: int, step: nodes.AnyStep) -> None:
        if _may_end_at_once(step):
            self._add(begin(number), done(number))
        self._add(done(number), self._after(number))
        self._ways_on(number, step)

    def _sibling(self, number: int, text: nodes.Text) -> int | None:
        found = self._flow.places[number].siblings.get(text.value)
        return None if found is None else begin(found)

    def _ways_out(self, number: int, step: nodes.AnyStep) -> None:
        handled = {text.value for handler in step.handlers for text in (handler.next,) if text is not None}
        for text in ways_out(step):
            self._add(broken(number) if text.value in handled else begin(number), self._sibling(number, text))

    def _ways_on(self, number: int, step: nodes.AnyStep) -> None:
        source = begin(number) if isinstance(step, nodes.Decision | nodes.Parallel) else done(number)
        for text in ways_on(step):
            self._add(source, self._sibling(number, text))

    def _after(self, number: int) -> int | None:
        """Where a path goes that ends well at step `number` without naming a successor."""
        step, place = self._flow.steps[number], self._flow.places[number]
        following = self._flow.following(number)
        if following is not None:
            return begin(following)
        if step.next or (isinstance(step, nodes.Parallel) and step.join is not None):
            return None
        return self._end_of(place.body, place.owner)

    def _end_of(self, body: nodes.StepList, owner: int | None) -> int | None:
        if owner is None:
            return None
        final = self._final(owner)
        return final if final is not None and body.kind in ("try", "catch") else done(owner)

    def _final(self, owner: int) -> int | None:
        step = self._flow.steps[owner]
        return begin(self._entries[id(step.final)]) if isinstance(step, nodes.Try) and step.final else None

    def _bodies(self, number: int, step: nodes.AnyStep) -> None:
        for body in nodes.bodies(step):
            if not body.steps:
                continue
            from_failure = body.kind in ("catch", "finally")
            self._add(failed(number) if from_failure else begin(number), begin(self._entries[id(body.steps)]))

    def _compensation(self, name: str, undo: str) -> None:
        numbers = self._flow.numbers
        if name in numbers and undo in numbers:
            self._flow.undos.append((done(numbers[name]), begin(numbers[undo])))


def _may_end_at_once(step: nodes.AnyStep) -> bool:
    """Tell whether the step can end without going through one of its bodies or to a step that it names."""
    if step.condition is not None:
        return True
    match step:
        case nodes.Decision():
            ways = [case.way for case in step.cases] + ([step.otherwise] if step.otherwise else [])
            open_end = step.otherwise is None or any(way.next is None and not way.steps for way in ways)
            return open_end and not step.by_condition
        case nodes.Parallel():
            return step.is_graph
        case nodes.Try():
            return False
    return True
