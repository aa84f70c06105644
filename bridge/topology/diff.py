"""Differences between what is declared and what stands on the broker, and what can be done about each. Pure.

The broker names one differing argument at a time, in a sentence; `difference_in` is the only reader of it. What
cannot be read keeps the broker's own words, so nothing is lost with a version that words it otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from bridge.topology.model import Binding, Exchange, Queue
from contracts.json import Json

NOT_SET = "not set"
_KEEPS_DEAD_LETTERS = frozenset({"x-dead-letter-strategy", "x-overflow", "x-dead-letter-exchange", "x-queue-type"})
_INEQUIVALENT = re.compile(
    r"inequivalent arg '(?P<argument>[^']+)' for (?P<kind>queue|exchange) '(?P<name>.*?)' in vhost '.*?': "
    r"received (?P<wanted>.*?) but current is (?P<found>.*)",
    re.DOTALL,
)
_VALUE = re.compile(r"(?:the value )?'(?P<value>.*?)'(?: of type '\w+')?", re.DOTALL)


class State(StrEnum):
    """How something that is declared stands on the broker; `surplus` is of ours, and not declared."""

    PRESENT = "present"
    MISSING = "missing"
    DIFFERS = "differs"
    SURPLUS = "surplus"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Difference:
    """One argument that differs; `wanted` is ours, `found` the broker's."""

    kind: Literal["queue", "exchange"]
    name: str
    argument: str
    wanted: str
    found: str

    def __str__(self) -> str:
        """Return the sentence for a person."""
        told = f"{self.kind} {self.name}: {self.argument} is {self.found} on the broker, {self.wanted} here."
        return f"{told} So its dead letters could get lost." if self.argument in _KEEPS_DEAD_LETTERS else told


@dataclass(frozen=True, slots=True)
class Finding:
    """How one exchange, queue or binding stands; `difference` says which argument differs, `detail` what else."""

    item: Exchange | Queue | Binding
    state: State
    difference: Difference | None = None
    detail: str = ""

    @property
    def kind(self) -> str:
        """Return `exchange`, `queue` or `binding`."""
        return type(self.item).__name__.lower()

    @property
    def name(self) -> str:
        """Return its name; of a binding, what it joins."""
        match self.item:
            case Binding():
                key = f" ({self.item.routing_key})" if self.item.routing_key else ""
                return f"{self.item.source} -> {self.item.destination}{key}"
            case _:
                return self.item.name

    @property
    def cure(self) -> str:
        """Return what to do about it; empty where there is nothing to do."""
        match self.state:
            case State.MISSING:
                return "saga topology apply declares it"
            case State.DIFFERS:
                how = f" (rabbitmqctl delete_queue {self.name})" if self.kind == "queue" else ""
                return f"empty it, delete it{how}, apply again"
            case State.SURPLUS:
                return f"raise `partitions`, or let it be emptied and delete it (rabbitmqctl delete_queue {self.name})"
        return ""

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        document: dict[str, Json] = {"kind": self.kind, "name": self.name, "state": self.state.value}
        if self.difference:
            document |= {
                "argument": self.difference.argument,
                "wanted": self.difference.wanted,
                "found": self.difference.found,
            }
        return document | ({"detail": self.detail} if self.detail else {})


def agrees(findings: Iterable[Finding]) -> bool:
    """Tell whether nothing is missing, differs or is surplus, as far as it can be told."""
    return all(finding.state in (State.PRESENT, State.UNKNOWN) for finding in findings)


def difference_in(reply: str) -> Difference | None:
    """Return what a broker's refusal to declare names, or None where it says something else."""
    found = _INEQUIVALENT.search(reply)
    if found is None:
        return None
    kind: Literal["queue", "exchange"] = "queue" if found["kind"] == "queue" else "exchange"
    return Difference(kind, found["name"], found["argument"], _value(found["wanted"]), _value(found["found"]))


def _value(text: str) -> str:
    match = _VALUE.match(text)
    value = match["value"] if match else text.strip("' ")
    return NOT_SET if value == "none" and not text.startswith("the value") else value or "empty"
