"""Rollouts: which share of the new runs a version takes, and which run is in that share.

Choosing is a pure function of the definition's id and one value of the run, its *sticky value*: the same value always
falls into the same of 10,000 places, in every process and on every machine. A version takes the places below its
percentage. So a growing percentage only adds runs to a version, and what belongs together (a customer, a tenant) goes
together. A rollout is no part of the plan: it may change while the content of a version never does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from contracts.json import Json
from workflows.language.expressions.cel import Expression
from workflows.language.expressions.model import ExpressionFailure
from workflows.language.expressions.template import rendering_of

PLACES: Final = 10_000
ALL: Final = 100.0


@dataclass(frozen=True, slots=True)
class Rollout:
    """The share of a version.

    Attributes:
        percent: 0 to 100, of the new runs that no newer version takes.
        sticky_by: Gives the sticky value; sees `input` and `run.key`. None = the key.
    """

    percent: float = ALL
    sticky_by: Expression | None = None

    def sticky_value(self, key: str, given: Json) -> str:
        """Return the sticky value of a run; where the expression has none for its input, its key."""
        if self.sticky_by is None:
            return key
        try:
            return rendering_of(self.sticky_by.evaluate(_Beginning(key, given)))
        except ExpressionFailure:
            return key


@dataclass(frozen=True, slots=True)
class _Beginning:
    """What there is to see of a run that does not exist yet."""

    key: str
    input: Json

    def root(self, name: str) -> object:
        if name == "input":
            return self.input
        if name == "run":
            return {"key": self.key}
        raise KeyError(name)

    def step(self, name: str) -> object:
        raise KeyError(name)

    def uuid(self) -> str:
        return self.key


def place_of(definition: str, sticky: str) -> int:
    """Return the place of a sticky value, 0 to 9,999; the same in every process."""
    digest = hashlib.sha256(f"{definition}\n{sticky}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8]) % PLACES


def takes(percent: float, place: int) -> bool:
    """Tell whether a version with this percentage takes the run at `place`."""
    return place < round(percent * PLACES / ALL)
