"""The load, as stories: a few events that belong together, and what each story must lead to.

An author writes stories without end, and the same ones for the same seed. Events go three ways: `sorted` by the
bridge, `marked` by their producer with key and class (the short way), or by the `outbox`. The events of one story go
one way and in one class, because order is promised there.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Literal

from contracts.envelope import Event
from contracts.json import Json
from tests.chaos.library import LAST_WORD

Way = Literal["sorted", "marked", "outbox"]
WAYS: Final[tuple[Way, ...]] = ("sorted", "marked", "outbox")

STUMBLES: Final[Mapping[str, str]] = {"~record": "after-record", "~start": "after-start"}
"""How the id of an event ends whose handling fails once, for no clear reason, at a crash point."""

_PRIORITIES: Final[Mapping[str, int]] = {"low": 0, "normal": 5, "high": 9}
_STUMBLING = 0.04


@dataclass(frozen=True)
class Post:
    """One publication. `event` is None where the body is none."""

    event_id: str
    kind: str
    body: bytes
    key: str
    way: Way
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
        return {"x-group-id": self.key, "x-priority-class": self.priority_class} if self.way == "marked" else {}


@dataclass(frozen=True)
class Ended:
    """Goes on when so many runs with this id have ended."""

    workflow_id: str
    runs: int


@dataclass(frozen=True)
class Story:
    """Steps, and what must be there when all is done.

    Attributes:
        steps: What a producer does, one after the other.
        runs: How many runs of each workflow id there are ever.
        words: What each patient run was told, in order.
        letters: How many dead letters there are of each message id.
        outcomes: What the event log says of each event.
    """

    steps: Sequence[Post | Ended]
    runs: Mapping[str, int] = field(default_factory=dict)
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    letters: Mapping[str, int] = field(default_factory=dict)
    outcomes: Mapping[str, str] = field(default_factory=dict)

    @property
    def posts(self) -> list[Post]:
        """What is published."""
        return [step for step in self.steps if isinstance(step, Post)]


ANY: Final[Mapping[str, int]] = {
    "quick": 6,
    "talk": 3,
    "early": 1,
    "visit": 1,
    "poison": 1,
    "malformed": 1,
    "conflict": 1,
    "nobody": 1,
    "twice": 1,
    "rolled_back": 1,
}
"""The kinds of stories, and how often each is told."""

UNORDERED: Final = {kind: ANY[kind] for kind in ("quick", "poison", "malformed", "nobody", "twice")}
"""Those in which the order of events does not matter."""


class Author:
    """Writes the stories of one lane; all after the first `-` of its name is the same whenever the seed is."""

    def __init__(self, name: str, seed: int, kinds: Mapping[str, int] = ANY, ways: Sequence[Way] = WAYS) -> None:
        self._name, self._kinds, self._ways = name, kinds, ways
        self._chance = random.Random(f"{seed}-{name.partition('-')[2]}")  # noqa: S311 - a load, not secrets
        self._whims = random.Random(f"{seed}-{name.partition('-')[2]}-whims")  # noqa: S311 - the same
        self._count = 0
        self._tellers: Mapping[str, Callable[[_Pen], Story]] = {
            "quick": _quick,
            "talk": _talk,
            "early": _early,
            "visit": _visit,
            "poison": _poison,
            "malformed": _malformed,
            "conflict": _conflict,
            "nobody": _nobody,
            "twice": _twice,
            "rolled_back": _rolled_back,
        }

    def story(self) -> Story:
        """Write the next story."""
        self._count += 1
        [kind] = self._chance.choices(list(self._kinds), list(self._kinds.values()))
        return self._tellers[kind](self._pen(kind))

    def probe(self) -> Story:
        """Write an urgent story of one event."""
        self._count += 1
        return _quick(_Pen(f"{self._name}-{self._count}", "sorted", "high", self._chance))

    def draws(self, chance: float) -> bool:
        """Throw other dice than for the stories, which so do not depend on what happens meanwhile."""
        return self._whims.random() < chance

    def _pen(self, kind: str) -> _Pen:
        way: Way = "outbox" if kind == "rolled_back" else self._chance.choice(self._ways)
        return _Pen(f"{self._name}-{self._count}", way, self._chance.choice(list(_PRIORITIES)), self._chance)


@dataclass(frozen=True)
class _Pen:
    """Writes the events of one story."""

    key: str
    way: Way
    priority_class: str
    chance: random.Random

    def post(self, kind: str, name: str = "", **data: Json) -> Post:
        suffix = self.chance.choice(list(STUMBLES)) if self.chance.random() < _STUMBLING else ""
        identity = f"{self.key}-{name or kind}{suffix}"
        return self.write(identity, kind, {"id": self.key, **data}, grouped=self.way != "sorted")

    def write(self, identity: str, kind: str, data: dict[str, Json], *, grouped: bool) -> Post:
        """Write an event; `grouped` = it says itself that it belongs to the story."""
        group: dict[str, Json] = {"group_id": self.key} if grouped else {}
        event = Event(identity, kind, "1.0", datetime.now(UTC), "chaos", data, group)
        body = json.dumps(event.to_json()).encode()
        return Post(identity, kind, body, self.key, self.way, self.priority_class, event)


def _quick(pen: _Pen) -> Story:
    post = pen.post("quick.go")
    return Story([post], {f"quick/{pen.key}": 1}, outcomes={post.event_id: "dispatched"})


def _nobody(pen: _Pen) -> Story:
    post = pen.post("nobody.cares")
    return Story([post], outcomes={post.event_id: "unrouted"})


def _poison(pen: _Pen) -> Story:
    """A signal for a run that never was: it can never succeed."""
    post = pen.post("patient.note", say="nobody listens")
    return Story([post], letters={post.event_id: 1}, outcomes={post.event_id: "dead-lettered"})


def _malformed(pen: _Pen) -> Story:
    post = Post(f"{pen.key}-malformed", "quick.go", b"?", pen.key, "sorted", "low", None)
    return Story([post], letters={post.event_id: 1})


def _conflict(pen: _Pen) -> Story:
    """Two events with one id: the first counts, the second is put aside."""
    identity = f"{pen.key}-conflict"
    first = pen.write(identity, "quick.go", {"id": pen.key}, grouped=True)
    second = pen.write(identity, "quick.go", {"id": f"{pen.key}-other"}, grouped=True)
    runs, outcomes = {f"quick/{pen.key}": 1}, {identity: "dispatched"}
    return Story([first, second], runs, letters={identity: 1}, outcomes=outcomes)


def _twice(pen: _Pen) -> Story:
    """Two events for one key, one after the other; then the first is repeated, when all is long over."""
    one, two = pen.post("quick.one"), pen.post("quick.two")
    run = f"quick/{pen.key}"
    outcomes = {one.event_id: "dispatched", two.event_id: "dispatched"}
    return Story([one, Ended(run, 1), two, Ended(run, 2), one], {run: 2}, outcomes=outcomes)


def _rolled_back(pen: _Pen) -> Story:
    post = pen.post("quick.never")
    return Story([replace(post, is_kept=False)], {f"quick/{pen.key}": 0})


def _talk(pen: _Pen) -> Story:
    words = _words(pen)
    return _told(pen, [pen.post("patient.begin"), *_said(pen, "patient.note", words)], words)


def _early(pen: _Pen) -> Story:
    """Some words come before the run begins, and are kept for it."""
    words = _words(pen)
    early, later = words[:2], words[2:]
    posts = [*_said(pen, "patient.early", early), pen.post("patient.begin"), *_said(pen, "patient.note", later)]
    return _told(pen, posts, words)


def _visit(pen: _Pen) -> Story:
    """The first word starts the run."""
    words = _words(pen)
    return _told(pen, _said(pen, "patient.visit", words), words)


def _words(pen: _Pen) -> list[str]:
    return [*map(str, range(pen.chance.randint(3, 7))), LAST_WORD]


def _said(pen: _Pen, kind: str, words: Sequence[str]) -> list[Post]:
    return [pen.post(kind, f"{kind}-{word}", say=word) for word in words]


def _told(pen: _Pen, posts: Sequence[Post], words: Sequence[str]) -> Story:
    run = f"patient/{pen.key}"
    return Story(posts, {run: 1}, {run: words}, outcomes={post.event_id: "dispatched" for post in posts})
