"""The books: what was published, what it must lead to, and what of that is lost, there twice, or out of order.

Every event counts that its producer has a confirm for (or a commit, where it goes by the outbox), and every producer
insists until it has one. So at the end each event must have had its effect, exactly once:

- lost: a run, a word, a dead letter or an outcome in the event log that is not there;
- duplicated: a run, a word or a dead letter that nobody asked for, or not so often;
- disordered: the words of a key, all there, each once, but not in their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.chaos.stories import Post, Story
from tests.chaos.truth import Found

_SHOWN = 12


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


@dataclass
class Ledger:
    """The books of one scenario."""

    scenario: str
    seed: int
    stories: list[Story] = field(default_factory=list)
    attempted: int = 0
    confirmed: set[str] = field(default_factory=set)
    recordable: set[str] = field(default_factory=set)
    confirms: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)

    def begins(self, story: Story) -> None:
        """Note a story whose first event is about to be published."""
        self.stories.append(story)

    def has_confirm(self, post: Post) -> None:
        """Note that the broker, or the database, has it."""
        self.confirmed.add(post.event_id)
        if post.event is not None:
            self.recordable.add(post.event_id)
        self.confirms += 1

    def compare(self, found: Found) -> Findings:
        """Compare with what there is."""
        return Findings(
            lost=[*self._lost_runs(found), *self._lost_words(found), *self._lost_notes(found)],
            duplicated=[*self._extra_runs(found), *self._extra_words(found), *self._extra_letters(found)],
            disordered=list(self._disordered(found)),
        )

    def report(self, found: Found, findings: Findings) -> str:
        """Return one line for people, and one for each of the first findings."""
        numbers = {
            "attempted": self.attempted,
            "confirmed": len(self.confirmed),
            "repeated": self.confirms - len(self.confirmed),
            "started": sum(map(len, found.runs.values())),
            "applied": sum(map(len, found.words.values())),
            "dead-lettered": sum(found.letters.values()),
            "lost": len(findings.lost),
            "duplicated": len(findings.duplicated),
            "disordered": len(findings.disordered),
            **self.notes,
        }
        counted = ", ".join(f"{name} {number}" for name, number in numbers.items())
        recovered = ", ".join(f"{seconds:.1f}" for seconds in self.recoveries) or "-"
        wrong = [
            f"  {name}: {one}"
            for name, all_ in vars(findings).items()
            for one in [*all_[:_SHOWN], *(["..."] if len(all_) > _SHOWN else [])]
        ]
        line = f"{self.scenario}: {counted}; recovered after {recovered} s (SAGA_CHAOS_SEED={self.seed})"
        return "\n".join([line, *wrong])

    def _runs(self) -> dict[str, int]:
        return {run: number for story in self.stories for run, number in story.runs.items()}

    def _lost_runs(self, found: Found) -> Iterator[str]:
        for run, number in self._runs().items():
            if len(found.runs.get(run, [])) < number:
                yield f"{run} began {len(found.runs.get(run, []))} times instead of {number}"

    def _extra_runs(self, found: Found) -> Iterator[str]:
        expected = self._runs()
        for run, there in found.runs.items():
            if len(there) > expected.get(run, 0):
                yield f"{run} began {len(there)} times instead of {expected.get(run, 0)}"

    def _told(self, found: Found) -> Iterator[tuple[str, list[str], list[str] | None]]:
        """Each patient run with the words that it should have, and those that it has, once it has ended."""
        for story in self.stories:
            for run, words in story.words.items():
                there = [found.words.get(one) for one in found.runs.get(run, [])]
                yield run, list(words), there[0] if len(there) == 1 else None

    def _lost_words(self, found: Found) -> Iterator[str]:
        for run, expected, words in self._told(found):
            if words is None:
                yield f"{run} has not had its last word"
            elif missing := Counter(expected) - Counter(words):
                yield f"{run} was not told {sorted(missing)}: {words}"

    def _extra_words(self, found: Found) -> Iterator[str]:
        for run, expected, words in self._told(found):
            if words is not None and (extra := Counter(words) - Counter(expected)):
                yield f"{run} was told {sorted(extra)} once more: {words}"

    def _disordered(self, found: Found) -> Iterator[str]:
        for run, expected, words in self._told(found):
            if words is not None and words != expected and Counter(words) == Counter(expected):
                yield f"{run} was told {words}"

    def _letters(self) -> dict[str, int]:
        return {message: number for story in self.stories for message, number in story.letters.items()}

    def _lost_notes(self, found: Found) -> Iterator[str]:
        for message, number in self._letters().items():
            if found.letters.get(message, 0) < number:
                yield f"{message} is not among the dead letters"
        for story in self.stories:
            for event_id, outcome in story.outcomes.items():
                if (there := found.outcomes.get(event_id)) != outcome:
                    yield f"{event_id} is on record as {there} instead of {outcome}"

    def _extra_letters(self, found: Found) -> Iterator[str]:
        expected = self._letters()
        for message, number in found.letters.items():
            if number > expected.get(message, 0):
                yield f"{message} is {number} times among the dead letters instead of {expected.get(message, 0)}"
