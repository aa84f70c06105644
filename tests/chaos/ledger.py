"""The ledger: what was published, what it must lead to, and what of that is lost, there twice, or out of order.

Every event counts that its producer has a confirm for (or a commit, where it goes by the outbox), and every producer
insists until it has one. So at the end each event must have had its effect, exactly once:

- lost: a run, a signal, a dead letter or an outcome in the event log that is not there;
- duplicated: a run, a signal or a dead letter that was not expected, or not so often;
- disordered: the signals of a key, all there, each once, but not in their order.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.chaos.message_sequences import MessageSequence, Publication
from tests.chaos.observed_state import ObservedState

_SHOWN = 12
_TOLD = 4


@dataclass(frozen=True)
class Findings:
    """What is wrong, each with its id."""

    lost: list[str]
    duplicated: list[str]
    disordered: list[str]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is."""
        return not (self.lost or self.duplicated or self.disordered)

    @property
    def keys(self) -> list[str]:
        """The keys of the first that are wrong."""
        named = (each.split()[0].rpartition("/")[2] for each in (*self.disordered, *self.duplicated, *self.lost))
        # Of an event, the key: its id begins with it, and goes on with the event's type.
        found = (re.sub(r"-[a-z]+\.[a-z]+.*$", "", each) for each in named)
        return list(dict.fromkeys(found))[:_TOLD]


@dataclass
class Ledger:
    """The ledger of one scenario."""

    scenario: str
    seed: int
    sequences: list[MessageSequence] = field(default_factory=list)
    attempted: int = 0
    confirmed: set[str] = field(default_factory=set)
    recordable: set[str] = field(default_factory=set)
    confirmed_at: dict[str, datetime] = field(default_factory=dict)
    confirms: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    consumed: list[float] = field(default_factory=list)

    def add(self, sequence: MessageSequence) -> None:
        """Note a sequence whose first event is about to be published."""
        self.sequences.append(sequence)

    def story(self, key: str) -> str:
        """Return when each event of a key was confirmed, and by which route it came."""
        published = (each for one in self.sequences for each in one.publications if each.key == key)
        lines = [
            f"  {self.confirmed_at.get(each.event_id)} {each.route} {each.priority_class} {each.event_id}"
            for each in published
        ]
        return "\n".join([f"{key} was published:", *lines])

    def note_confirm(self, publication: Publication) -> None:
        """Note that the broker, or the database, has it."""
        self.confirmed.add(publication.event_id)
        self.confirmed_at.setdefault(publication.event_id, datetime.now(UTC))
        if publication.event is not None:
            self.recordable.add(publication.event_id)
        self.confirms += 1

    def compare(self, found: ObservedState) -> Findings:
        """Compare with what there is."""
        return Findings(
            lost=[*self._lost_runs(found), *self._lost_signals(found), *self._lost_records(found)],
            duplicated=[*self._extra_runs(found), *self._extra_signals(found), *self._extra_letters(found)],
            disordered=list(self._disordered(found)),
        )

    def report(self, found: ObservedState, findings: Findings) -> str:
        """Return one line for people, and one for each of the first findings."""
        numbers = {
            "attempted": self.attempted,
            "confirmed": len(self.confirmed),
            "repeated": self.confirms - len(self.confirmed),
            "started": sum(map(len, found.runs.values())),
            "applied": sum(map(len, found.signals.values())),
            "dead-lettered": sum(found.letters.values()),
            "lost": len(findings.lost),
            "duplicated": len(findings.duplicated),
            "disordered": len(findings.disordered),
            **self.notes,
        }
        counted = ", ".join(f"{name} {number}" for name, number in numbers.items())
        times = f"recovered after {_seconds(self.recoveries)} s, consumed all after {_seconds(self.consumed)} s"
        wrong = [
            f"  {name}: {one}"
            for name, all_ in vars(findings).items()
            for one in [*all_[:_SHOWN], *(["..."] if len(all_) > _SHOWN else [])]
        ]
        line = f"{self.scenario}: {counted}; {times} (SAGA_CHAOS_SEED={self.seed})"
        return "\n".join([line, *wrong])

    def _runs(self) -> dict[str, int]:
        return {run: number for sequence in self.sequences for run, number in sequence.runs.items()}

    def _lost_runs(self, found: ObservedState) -> Iterator[str]:
        for run, number in self._runs().items():
            if len(found.runs.get(run, [])) < number:
                yield f"{run} began {len(found.runs.get(run, []))} times instead of {number}"

    def _extra_runs(self, found: ObservedState) -> Iterator[str]:
        expected = self._runs()
        for run, there in found.runs.items():
            if len(there) > expected.get(run, 0):
                yield f"{run} began {len(there)} times instead of {expected.get(run, 0)}"

    def _signalled_runs(self, found: ObservedState) -> Iterator[tuple[str, list[str], list[str] | None]]:
        """Each patient run with its expected signals, and those that it received, once it has ended."""
        for sequence in self.sequences:
            for run, signals in sequence.signals.items():
                there = [found.signals.get(one) for one in found.runs.get(run, [])]
                yield run, list(signals), there[0] if len(there) == 1 else None

    def _lost_signals(self, found: ObservedState) -> Iterator[str]:
        for run, expected, signals in self._signalled_runs(found):
            if signals is None:
                yield f"{run} has not received its last signal"
            elif missing := Counter(expected) - Counter(signals):
                yield f"{run} did not receive {sorted(missing)}: {signals}"

    def _extra_signals(self, found: ObservedState) -> Iterator[str]:
        for run, expected, signals in self._signalled_runs(found):
            if signals is not None and (extra := Counter(signals) - Counter(expected)):
                yield f"{run} received {sorted(extra)} once more: {signals}"

    def _disordered(self, found: ObservedState) -> Iterator[str]:
        for run, expected, signals in self._signalled_runs(found):
            if signals is not None and signals != expected and Counter(signals) == Counter(expected):
                yield f"{run} received {signals}"

    def _letters(self) -> dict[str, int]:
        return {message: number for sequence in self.sequences for message, number in sequence.letters.items()}

    def _lost_records(self, found: ObservedState) -> Iterator[str]:
        for message, number in self._letters().items():
            if found.letters.get(message, 0) < number:
                yield f"{message} is not among the dead letters"
        for sequence in self.sequences:
            for event_id, outcome in sequence.outcomes.items():
                if (there := found.outcomes.get(event_id)) != outcome:
                    yield f"{event_id} is on record as {there} instead of {outcome}"

    def _extra_letters(self, found: ObservedState) -> Iterator[str]:
        expected = self._letters()
        for message, number in found.letters.items():
            if number > expected.get(message, 0):
                yield f"{message} is {number} times among the dead letters instead of {expected.get(message, 0)}"


def _seconds(times: Sequence[float]) -> str:
    """Return times for people: the shortest first, since it is their distribution that tells something."""
    return ", ".join(f"{each:.1f}" for each in sorted(times)) or "-"
