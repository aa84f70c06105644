"""Does one schema take everything that another allows? A proof, or the reasons why there is none.

The writer's schema says what may come, the reader's what is taken. For each condition of the reader it is shown that
the conditions of the writer imply it, member by member and element by element. Where that cannot be shown there is a
finding, so that no finding means: everything that the writer allows is taken. Alternatives of the writer are gone
through one by one; a reference that leads back to a question which is still open is taken as answered (the data that
it speaks of is smaller).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from bridge.schemas.allowed import Allowed
from bridge.schemas.conditions import Conditions, Document, Part, Schema, canonical, flatten, is_portable

Level = Literal["breaks", "unknown", "reserved"]
_MOST_STEPS = 5_000
_DEEPEST = 64
_ALTERNATIVES: tuple[Literal["anyOf"], Literal["oneOf"]] = ("anyOf", "oneOf")


@dataclass(frozen=True, slots=True)
class Finding:
    """Why it could not be shown.

    Attributes:
        pointer: JSON pointer in the data; `*` stands for any index or any further member.
        level: It breaks; it cannot be told; or it breaks only data with members that the writer's schema does not name.
        text: A sentence in which `{reader}` and `{writer}` stand for the two schemas.
    """

    pointer: str
    level: Level
    text: str


Rule = Callable[["Proof", Allowed, Part, str], Iterator[Finding]]
"""From what is allowed, a part of the reader's schema and the place to the reasons why it is not implied."""


@dataclass
class Proof:
    """A question in work: the two documents, a rule for each keyword, and what is being asked at the moment."""

    writer: Document
    reader: Document
    rules: Sequence[Rule]
    _open: set[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=set)
    _steps: int = 0
    _depth: int = 0

    def of(self, given: Sequence[Schema], wanted: Sequence[Schema], at: str) -> list[Finding]:
        """Return why `given`, of the writer, does not imply `wanted`, of the reader; empty = it does."""
        there = {canonical(schema) for schema in given}
        left = [schema for schema in wanted if not self._is_among(schema, there)]
        question = tuple(sorted(there)), tuple(sorted(map(canonical, left)))
        if not left or question in self._open:
            return []
        self._open.add(question)
        conditions = flatten(self.writer, given)
        found = [] if conditions.impossible else self.judged(self._allowed(conditions), flatten(self.reader, left), at)
        self._open.discard(question)
        return found

    def judged(self, allowed: Allowed, wanted: Conditions, at: str) -> list[Finding]:
        """Return why what is allowed does not fit the reader's conditions."""
        self._steps += 1
        if self._steps > _MOST_STEPS or self._depth >= _DEEPEST:
            return [Finding(at, "unknown", "the schemas are too deep, or have too many alternatives")]
        self._depth += 1
        try:
            return self._judged(allowed, wanted, at)
        finally:
            self._depth -= 1

    def narrowed(self, allowed: Allowed, part: Part) -> Allowed:
        """Return what is allowed under one more condition, which is not of either document."""
        return replace(allowed, parts=(*allowed.parts, part))

    def holds(self, allowed: Allowed, keywords: Sequence[str], part: Part) -> bool:
        """Tell whether the writer has the very same condition, which these keywords of a part make up."""
        return self._fact(keywords, part) in allowed.facts

    def _judged(self, allowed: Allowed, wanted: Conditions, at: str) -> list[Finding]:
        for number, part in enumerate(allowed.parts):
            for keyword in _ALTERNATIVES:
                if keyword in part:
                    return self._each_alternative(allowed, number, keyword, wanted, at)
        if allowed.is_empty:
            return []
        return list(dict.fromkeys(self._unmet(allowed, wanted, at)))

    def _unmet(self, allowed: Allowed, wanted: Conditions, at: str) -> Iterator[Finding]:
        if wanted.impossible:
            yield Finding(at, "breaks", "{reader} allows nothing here, {writer} does")
        if wanted.unresolved:
            yield Finding(at, "unknown", "{reader} has a reference that cannot be followed")
        for part in wanted.parts:
            for rule in self.rules:
                yield from rule(self, allowed, part, at)

    def _each_alternative(
        self, allowed: Allowed, number: int, keyword: str, wanted: Conditions, at: str
    ) -> list[Finding]:
        part = allowed.parts[number]
        rest = {key: value for key, value in part.items() if key != keyword}
        found: list[Finding] = []
        for branch in part[keyword]:
            more = flatten(self.writer, [branch])
            if more.impossible:
                continue
            parts = (*allowed.parts[:number], rest, *allowed.parts[number + 1 :], *more.parts)
            found += self.judged(Allowed(parts, allowed.facts | self._facts(more.parts)), wanted, at)
        # With oneOf a branch's value that fits a second branch as well is not allowed after all.
        certain = keyword == "anyOf"
        return list(dict.fromkeys(each if certain else _doubted(each) for each in found))

    def _allowed(self, conditions: Conditions) -> Allowed:
        return Allowed(conditions.parts, self._facts(conditions.parts))

    def _facts(self, parts: Iterable[Part]) -> frozenset[str]:
        facts = {self._fact([key], part) for part in parts for key in part}
        facts |= {self._fact(keywords, part) for part in parts for keywords in GROUPS if keywords[0] in part}
        return frozenset(fact for fact in facts if fact is not None)

    def _fact(self, keywords: Sequence[str], part: Part) -> str | None:
        text = canonical({key: part[key] for key in keywords if key in part})
        return text if is_portable(text, self.writer, self.reader) else None

    def _is_among(self, schema: Schema, there: set[str]) -> bool:
        text = canonical(schema)
        return text in there and is_portable(text, self.writer, self.reader)


GROUPS: tuple[tuple[str, ...], ...] = (("if", "then", "else"), ("contains", "minContains", "maxContains"))
"""Keywords that mean something only together; the first says whether they do."""


def _doubted(finding: Finding) -> Finding:
    return replace(finding, level="unknown") if finding.level == "breaks" else finding
