"""Is a new version of a schema compatible with the old one? Two questions, each with its reasons.

1. *New reads old*: does the new schema take the data that was written by the old one? If not, events that are queued,
   kept in the log or still being sent by producers that have not changed are refused.
2. *Old reads new*: does a consumer that was made for the old schema take what the new one allows? If not, it has to
   be changed before the first producer is.

The answer is "compatible" only where that was proved (`implication`). What cannot be judged is "cannot be told".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridge.schemas.conditions import Document, Schema
from bridge.schemas.implication import Finding, Proof
from bridge.schemas.rules import RULES

Verdict = Literal["compatible", "compatible with reservations", "cannot be told", "incompatible"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one of the two questions.

    Attributes:
        findings: Why not, by place; what breaks comes first.
    """

    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The answer in a word."""
        levels = {finding.level for finding in self.findings}
        if "breaks" in levels:
            return "incompatible"
        if "unknown" in levels:
            return "cannot be told"
        return "compatible with reservations" if levels else "compatible"

    @property
    def is_safe(self) -> bool:
        """Tell whether nothing breaks, for data with no members but those that the writer's schema names."""
        return self.verdict in ("compatible", "compatible with reservations")

    def reasons(self, reader: str, writer: str) -> list[str]:
        """Return a sentence for each finding, with the names of the two versions."""
        return [f"{each.pointer or '/'}: {each.text.format(reader=reader, writer=writer)}" for each in self.findings]


@dataclass(frozen=True, slots=True)
class Compatibility:
    """Both answers."""

    new_reads_old: Answer
    old_reads_new: Answer


def compare(old: Schema, new: Schema) -> Compatibility:
    """Compare two schemas, each complete in itself and valid.

    Args:
        old: The schema that is in use.
        new: The schema that is to follow it.
    """
    return Compatibility(takes(new, old), takes(old, new))


def takes(reader: Schema, writer: Schema) -> Answer:
    """Answer whether `reader` takes everything that `writer` allows."""
    found = Proof(Document(writer), Document(reader), RULES).of([writer], [reader], "")
    broken = {each.pointer for each in found if each.level == "breaks"}
    found = [each for each in found if each.level != "reserved" or each.pointer not in broken]
    order = ("breaks", "unknown", "reserved")
    return Answer(tuple(sorted(dict.fromkeys(found), key=lambda each: (order.index(each.level), each.pointer))))
