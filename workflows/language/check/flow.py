"""Which step can run before which: the control flow of a definition as written.

Each step is four points: it begins, it ends well, it fails, it fails for good (nothing inside it caught the
failure). Edges lead to every point that may come next: successors, bodies, handlers, the step that compensates it.
A loop's way back is left out, because each round has a scope of its own. From this follow reachability and, for a
reference `steps.x`, whether x can have run: there is a way from x to the step that refers to it, and x is not
inside a loop that the step is outside of. Steps are numbered in the order of the file, so that two with the same id
do not collide; sets of points are bits of one integer, so that 500 steps cost milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from workflows.language import nodes
from workflows.language.check.ways import branch_entries, stops, targets_of

Scope = int | None
"""The number of the foreach or repeat step that is innermost around a step; None = none."""

_POINTS = 4


@dataclass(frozen=True)
class Place:
    """Where a step stands.

    Attributes:
        body: The list that it stands in.
        siblings: Numbers of the steps of that list, by id.
        owner: Number of the step whose body the list is, or None for the definition's own list.
        scope: Innermost loop around it.
    """

    body: nodes.StepList
    siblings: dict[str, int]
    owner: int | None
    scope: Scope


@dataclass
class Flow:
    """The flow of one definition; `edges.flow_of` draws it. `aside` are the side steps (see `ways.in_order`)."""

    steps: tuple[nodes.AnyStep, ...]
    places: list[Place] = field(default_factory=list)
    aside: set[int] = field(default_factory=set)
    edges: list[list[int]] = field(default_factory=list)
    undos: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Give each step its points, without edges yet."""
        self.edges = [[] for _ in range(_POINTS * len(self.steps))]

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Number of each step by id; of two with one id the first."""
        return {step.id.value: number for number, step in reversed(list(enumerate(self.steps)))}

    def successors(self, number: int) -> tuple[int, ...]:
        """Return the steps of the same list that may begin right after `number`, also after a failure."""
        step, place = self.steps[number], self.places[number]
        targets = [place.siblings[name] for name in targets_of(step) if name in place.siblings]
        following = self.following(number)
        return tuple(dict.fromkeys(targets + ([following] if following is not None else [])))

    def following(self, number: int) -> int | None:
        """Return the next step of a list in sequence shape."""
        return None if stops(self.steps[number]) or number in self.aside else self._later[number]

    @cached_property
    def _later(self) -> list[int | None]:
        """The next step in the order of its list for each step, in one pass over all; None in graph shape."""
        nearest: dict[int, int] = {}
        graphs = {
            id(place.siblings)
            for place in {id(each.siblings): each for each in self.places}.values()
            if place.body.is_graph
        }
        later: list[int | None] = []
        for number in reversed(range(len(self.places))):
            siblings = self.places[number].siblings
            later.append(nearest.get(id(siblings)))
            is_first = siblings[self.steps[number].id.value] == number
            if is_first and number not in self.aside and id(siblings) not in graphs:
                nearest[id(siblings)] = number
        return later[::-1]

    def region(self, number: int) -> frozenset[int]:
        """Return the steps on the paths of the graph-shaped parallel step `number`, up to its join."""
        step, place = self.steps[number], self.places[number]
        if not isinstance(step, nodes.Parallel) or not step.is_graph:
            return frozenset()
        join = place.siblings.get(step.join.value) if step.join is not None else None
        entries = [place.siblings[text.value] for text in branch_entries(step) if text.value in place.siblings]
        return frozenset(self.path(entries, {number} if join is None else {number, join}))

    def path(self, entries: list[int], stops: set[int]) -> list[int]:
        """Return the steps of one list that can be reached from `entries` without going through `stops`."""
        found = dict.fromkeys(entry for entry in entries if entry not in stops)
        open_steps = list(found)
        while open_steps:
            for target in self.successors(open_steps.pop()):
                if target not in found and target not in stops:
                    found[target] = None
                    open_steps.append(target)
        return list(found)

    def within(self, numbers: list[int]) -> list[int]:
        """Return the steps `numbers` and all steps inside them."""
        return sorted({inner for number in numbers for inner in range(number, self._ends[number])})

    @cached_property
    def _ends(self) -> list[int]:
        """For each step the number behind the last step inside it: they follow it in the order of the file."""
        ends = [number + 1 for number in range(len(self.places))]
        for number in reversed(range(len(self.places))):
            owner = self.places[number].owner
            if owner is not None:
                ends[owner] = max(ends[owner], ends[number])
        return ends

    @cached_property
    def reached(self) -> frozenset[int]:
        """Numbers of the steps that some run can reach; compensating steps count."""
        points = self.walked | _closure(self.edges, [target for _, target in self.undos])
        return frozenset(point // _POINTS for point in points if point % _POINTS == 0)

    @cached_property
    def walked(self) -> frozenset[int]:
        """The points that a run can reach by its steps alone, without compensating."""
        return frozenset(_closure(self.edges, [begin(0)] if self.steps else []))

    @cached_property
    def _before(self) -> list[int]:
        """For each point, the points that can come before it, as bits."""
        edges = [list(targets) for targets in self.edges]
        for source, target in self.undos:
            edges[source].append(target)
        before = [0] * len(edges)
        changed = True
        while changed:
            changed = False
            for point, targets in enumerate(edges):
                given = before[point] | (1 << point)
                for target in targets:
                    if given & ~before[target]:
                        before[target] |= given
                        changed = True
        return before

    def can_precede(self, number: int, point: int) -> bool:
        """Tell whether step `number` can have begun before `point` is reached."""
        return bool(self._before[point] >> begin(number) & 1)

    def is_visible(self, number: int, scope: Scope) -> bool:
        """Tell whether the results of step `number` are seen from inside the loop `scope`."""
        wanted = self.places[number].scope
        while scope != wanted and scope is not None:
            scope = self.places[scope].scope
        return scope == wanted


def begin(number: int) -> int:
    """Return the point at which step `number` begins."""
    return _POINTS * number


def done(number: int) -> int:
    """Return the point at which step `number` has ended well."""
    return _POINTS * number + 1


def failed(number: int) -> int:
    """Return the point at which step `number` has failed, before a `catch` of its own."""
    return _POINTS * number + 2


def broken(number: int) -> int:
    """Return the point at which step `number` has failed for good, where `on_error` comes in."""
    return _POINTS * number + 3


def _closure(edges: list[list[int]], starts: list[int]) -> set[int]:
    seen = set(starts)
    open_points = list(starts)
    while open_points:
        for target in edges[open_points.pop()]:
            if target not in seen:
                seen.add(target)
                open_points.append(target)
    return seen
