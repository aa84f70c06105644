"""The load, as message sequences: a few events that belong together, and the state that each sequence must lead to.

A generator makes any number of sequences, and the same ones for the same seed. Events take one of three routes:
`sorted` by the bridge, `marked` by their producer with its place (routed directly), or through the `outbox`. All
events of a sequence have one route and one class, because order is promised there.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Literal

from bridge.topology.layout import direct_headers
from bridge.topology.model import Topology
from contracts.envelope import Event
from contracts.json import Json
from tests.chaos.library import LAST_SIGNAL

Route = Literal["sorted", "marked", "outbox"]
ROUTES: Final[tuple[Route, ...]] = ("sorted", "marked", "outbox")

FAILING_SUFFIXES: Final[Mapping[str, str]] = {"~record": "after-record", "~start": "after-start"}
"""How the id of an event ends whose handling fails once, for no clear reason, at a crash point."""

_PRIORITIES: Final[Mapping[str, int]] = {"low": 0, "normal": 5, "high": 9}
_FAILING_SHARE = 0.04


@dataclass(frozen=True)
class Publication:
    """One publication. `event` is None where the body is none."""

    event_id: str
    kind: str
    body: bytes
    key: str
    route: Route
    priority_class: str
    event: Event | None
    is_kept: bool = True

    @property
    def priority(self) -> int:
        """The AMQP priority."""
        return _PRIORITIES[self.priority_class]

    @property
    def headers(self) -> dict[str, str]:
        """The producer's headers."""
        return direct_headers(self.key, self.priority_class, Topology()) if self.route == "marked" else {}


@dataclass(frozen=True)
class RunsEnded:
    """A step that waits until so many runs with this id have ended."""

    workflow_id: str
    runs: int


@dataclass(frozen=True)
class MessageSequence:
    """Steps, and the expected state after them.

    Attributes:
        steps: What a producer does, one after the other.
        runs: How many runs of each workflow id there are ever.
        signals: What each patient run received by signal, in order.
        letters: How many dead letters there are of each message id.
        outcomes: What the event log says of each event.
    """

    steps: Sequence[Publication | RunsEnded]
    runs: Mapping[str, int] = field(default_factory=dict)
    signals: Mapping[str, Sequence[str]] = field(default_factory=dict)
    letters: Mapping[str, int] = field(default_factory=dict)
    outcomes: Mapping[str, str] = field(default_factory=dict)

    @property
    def publications(self) -> list[Publication]:
        """What is published."""
        return [step for step in self.steps if isinstance(step, Publication)]


ALL_KINDS: Final[Mapping[str, int]] = {
    "quick": 6,
    "signals": 3,
    "early_signals": 1,
    "signal_with_start": 1,
    "poison": 1,
    "malformed": 1,
    "conflict": 1,
    "unrouted": 1,
    "twice": 1,
    "rolled_back": 1,
}
"""The kinds of sequences, and their weights."""

UNORDERED: Final = {kind: ALL_KINDS[kind] for kind in ("quick", "poison", "malformed", "unrouted", "twice")}
"""Those in which the order of events does not matter."""


class SequenceGenerator:
    """Makes the sequences of one producer; all after the first `-` of its name is the same whenever the seed is."""

    def __init__(
        self, name: str, seed: int, kinds: Mapping[str, int] = ALL_KINDS, routes: Sequence[Route] = ROUTES
    ) -> None:
        self._name, self._kinds, self._routes = name, kinds, routes
        self._random = random.Random(f"{seed}-{name.partition('-')[2]}")  # noqa: S311 - a load, not secrets
        self._repetition_random = random.Random(f"{seed}-{name.partition('-')[2]}-repetitions")  # noqa: S311 - the same
        self._count = 0
        self._makers: Mapping[str, Callable[[_MessageFactory], MessageSequence]] = {
            "quick": _quick,
            "signals": _signals,
            "early_signals": _early_signals,
            "signal_with_start": _signal_with_start,
            "poison": _poison,
            "malformed": _malformed,
            "conflict": _conflict,
            "unrouted": _unrouted,
            "twice": _twice,
            "rolled_back": _rolled_back,
        }

    def sequence(self) -> MessageSequence:
        """Make the next sequence."""
        self._count += 1
        [kind] = self._random.choices(list(self._kinds), list(self._kinds.values()))
        return self._makers[kind](self._factory(kind))

    def probe(self) -> MessageSequence:
        """Make a sequence of one urgent event."""
        self._count += 1
        return _quick(_MessageFactory(f"{self._name}-{self._count}", "sorted", "high", self._random))

    def draws_repetition(self, chance: float) -> bool:
        """Draw from a second generator, so that the sequences do not depend on timing."""
        return self._repetition_random.random() < chance

    def _factory(self, kind: str) -> _MessageFactory:
        route: Route = "outbox" if kind == "rolled_back" else self._random.choice(self._routes)
        return _MessageFactory(
            f"{self._name}-{self._count}", route, self._random.choice(list(_PRIORITIES)), self._random
        )


@dataclass(frozen=True)
class _MessageFactory:
    """Makes the events of one sequence."""

    key: str
    route: Route
    priority_class: str
    rng: random.Random

    def publication(self, kind: str, name: str = "", **data: Json) -> Publication:
        suffix = self.rng.choice(list(FAILING_SUFFIXES)) if self.rng.random() < _FAILING_SHARE else ""
        identity = f"{self.key}-{name or kind}{suffix}"
        return self.make(identity, kind, {"id": self.key, **data}, grouped=self.route != "sorted")

    def make(self, identity: str, kind: str, data: dict[str, Json], *, grouped: bool) -> Publication:
        """Make an event; `grouped` = it carries the group id of the sequence."""
        group: dict[str, Json] = {"group_id": self.key} if grouped else {}
        event = Event(identity, kind, "1.0", datetime.now(UTC), "chaos", data, group)
        body = json.dumps(event.to_json()).encode()
        return Publication(identity, kind, body, self.key, self.route, self.priority_class, event)


def _quick(factory: _MessageFactory) -> MessageSequence:
    publication = factory.publication("quick.go")
    return MessageSequence([publication], {f"quick/{factory.key}": 1}, outcomes={publication.event_id: "dispatched"})


def _unrouted(factory: _MessageFactory) -> MessageSequence:
    publication = factory.publication("unrouted.event")
    return MessageSequence([publication], outcomes={publication.event_id: "unrouted"})


def _poison(factory: _MessageFactory) -> MessageSequence:
    """A signal for a run that never was: it can never succeed."""
    publication = factory.publication("patient.note", say="no run")
    return MessageSequence(
        [publication], letters={publication.event_id: 1}, outcomes={publication.event_id: "dead-lettered"}
    )


def _malformed(factory: _MessageFactory) -> MessageSequence:
    publication = Publication(f"{factory.key}-malformed", "quick.go", b"?", factory.key, "sorted", "low", None)
    return MessageSequence([publication], letters={publication.event_id: 1})


def _conflict(factory: _MessageFactory) -> MessageSequence:
    """Two events with one id: the first counts, the second is put aside."""
    identity = f"{factory.key}-conflict"
    first = factory.make(identity, "quick.go", {"id": factory.key}, grouped=True)
    second = factory.make(identity, "quick.go", {"id": f"{factory.key}-other"}, grouped=True)
    runs, outcomes = {f"quick/{factory.key}": 1}, {identity: "dispatched"}
    return MessageSequence([first, second], runs, letters={identity: 1}, outcomes=outcomes)


def _twice(factory: _MessageFactory) -> MessageSequence:
    """Two events for one key, one after the other; the first is repeated after both runs have ended."""
    one, two = factory.publication("quick.one"), factory.publication("quick.two")
    run = f"quick/{factory.key}"
    outcomes = {one.event_id: "dispatched", two.event_id: "dispatched"}
    return MessageSequence([one, RunsEnded(run, 1), two, RunsEnded(run, 2), one], {run: 2}, outcomes=outcomes)


def _rolled_back(factory: _MessageFactory) -> MessageSequence:
    publication = factory.publication("quick.never")
    return MessageSequence([replace(publication, is_kept=False)], {f"quick/{factory.key}": 0})


def _signals(factory: _MessageFactory) -> MessageSequence:
    signals = _signal_values(factory)
    return _signalled_run(
        factory,
        [factory.publication("patient.begin"), *_signal_publications(factory, "patient.note", signals)],
        signals,
    )


def _early_signals(factory: _MessageFactory) -> MessageSequence:
    """Some signals come before the run begins, and are held for it."""
    signals = _signal_values(factory)
    early, later = signals[:2], signals[2:]
    publications = [
        *_signal_publications(factory, "patient.early", early),
        factory.publication("patient.begin"),
        *_signal_publications(factory, "patient.note", later),
    ]
    return _signalled_run(factory, publications, signals)


def _signal_with_start(factory: _MessageFactory) -> MessageSequence:
    """The first signal starts the run."""
    signals = _signal_values(factory)
    return _signalled_run(factory, _signal_publications(factory, "patient.visit", signals), signals)


def _signal_values(factory: _MessageFactory) -> list[str]:
    return [*map(str, range(factory.rng.randint(3, 7))), LAST_SIGNAL]


def _signal_publications(factory: _MessageFactory, kind: str, signals: Sequence[str]) -> list[Publication]:
    return [factory.publication(kind, f"{kind}-{value}", say=value) for value in signals]


def _signalled_run(
    factory: _MessageFactory, publications: Sequence[Publication], signals: Sequence[str]
) -> MessageSequence:
    run = f"patient/{factory.key}"
    return MessageSequence(
        publications,
        {run: 1},
        {run: signals},
        outcomes={publication.event_id: "dispatched" for publication in publications},
    )
