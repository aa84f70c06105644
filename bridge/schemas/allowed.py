"""What conditions allow, read off their keywords: kinds of values, bounds, sizes, members.

It never says less than they allow: a keyword that is not understood here only narrows it, and leaving that out is on
the safe side for whoever asks "is everything that these allow also allowed there?".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from bridge.schemas.conditions import ATOMS, Part, Schema, atom_of, atoms_of, canonical, listed
from contracts.json import Json

Bound = tuple[float, bool]
"""A number, and whether it is itself excluded."""

Sized = type[str] | type[list[Json]] | type[dict[str, Json]]
"""The kinds of values that have a size."""


@dataclass(frozen=True)
class Allowed:
    """What conditions allow at most; `facts` are keywords that hold, as `fact` writes them."""

    parts: tuple[Part, ...]
    facts: frozenset[str]

    @cached_property
    def atoms(self) -> frozenset[str]:
        """The kinds of values."""
        atoms = frozenset(ATOMS)
        for part in self.parts:
            atoms &= atoms_of(part)
        return atoms

    @cached_property
    def values(self) -> tuple[Json, ...] | None:
        """Every value, where they can be counted."""
        lists = [listed(part) for part in self.parts if "const" in part or "enum" in part]
        if lists:
            keys = [{canonical(value) for value in each} for each in lists]
            kept = (value for value in lists[0] if all(canonical(value) in each for each in keys))
            return tuple(value for value in kept if atom_of(value) in self.atoms)
        if self.atoms <= {"null", "boolean"}:
            each = (("null", None), ("boolean", False), ("boolean", True))
            return tuple(value for atom, value in each if atom in self.atoms)
        return None

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of values, where these can be counted of those alone."""
        return self.atoms if self.values is None else frozenset(map(atom_of, self.values))

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing fits."""
        return not self.atoms or self.values == ()

    @cached_property
    def lower(self) -> Bound | None:
        """The greatest lower bound of numbers."""
        if self.values is not None:
            return _bound(min(self._numbers, default=None))
        found = [(part["minimum"], False) for part in self.parts if "minimum" in part]
        found += [(part["exclusiveMinimum"], True) for part in self.parts if "exclusiveMinimum" in part]
        bound = max(found, default=None)
        if bound is None or "fraction" in self.atoms:
            return bound
        return (math.floor(bound[0]) + 1, False) if bound[1] else (math.ceil(bound[0]), False)

    @cached_property
    def upper(self) -> Bound | None:
        """The least upper bound of numbers."""
        if self.values is not None:
            return _bound(max(self._numbers, default=None))
        found = [(part["maximum"], False) for part in self.parts if "maximum" in part]
        found += [(part["exclusiveMaximum"], True) for part in self.parts if "exclusiveMaximum" in part]
        bound = min(found, key=lambda each: (each[0], not each[1]), default=None)
        if bound is None or "fraction" in self.atoms:
            return bound
        return (math.ceil(bound[0]) - 1, False) if bound[1] else (math.floor(bound[0]), False)

    def least(self, keyword: str, kind: Sized) -> float:
        """Return the smallest size of texts, lists or tables (`kind`) by `minLength` and the like."""
        if self.values is not None:
            return min(_sizes(self.values, kind), default=0)
        return max((part[keyword] for part in self.parts if keyword in part), default=0)

    def most(self, keyword: str, kind: Sized) -> float:
        """Return the greatest size, infinite where there is none."""
        if self.values is not None:
            return max(_sizes(self.values, kind), default=0)
        return min((part[keyword] for part in self.parts if keyword in part), default=math.inf)

    @cached_property
    def required(self) -> frozenset[str]:
        """The members that are always there."""
        return frozenset(name for part in self.parts for name in part.get("required", ()))

    @cached_property
    def named(self) -> frozenset[str]:
        """The members that have a schema of their own."""
        return frozenset(name for part in self.parts for name in part.get("properties", ()))

    def member(self, name: str) -> list[Schema]:
        """Return what holds of a member; where patterns of names exist, they are left out of account."""
        found: list[Schema] = []
        for part in self.parts:
            if name in part.get("properties", ()):
                found.append(part["properties"][name])
            elif "patternProperties" not in part and "additionalProperties" in part:
                found.append(part["additionalProperties"])
        return found

    def other_members(self, patterns: Part | None) -> list[Schema]:
        """Return what holds of members that have no name anywhere and match none of `patterns`."""
        return [
            part["additionalProperties"]
            for part in self.parts
            if "additionalProperties" in part
            and (not part.get("patternProperties") or canonical(part["patternProperties"]) == canonical(patterns))
        ]

    def element(self, index: int) -> list[Schema]:
        """Return what holds of the element of a list at an index."""
        return [schema for part in self.parts for schema in element_of(part, index)]

    @property
    def _numbers(self) -> list[float]:
        return [value for value in self.values or () if isinstance(value, int | float) and not isinstance(value, bool)]


def element_of(part: Part, index: int) -> list[Schema]:
    """Return what a part says of the element at an index."""
    first = part.get("prefixItems", ())
    if index < len(first):
        return [first[index]]
    return [part["items"]] if "items" in part else []


def _bound(number: float | None) -> Bound | None:
    return None if number is None else (number, False)


def _sizes(values: Iterable[Json], kind: Sized) -> Iterator[int]:
    return (len(value) for value in values if isinstance(value, kind))
