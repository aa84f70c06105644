"""How much work a JSON Schema can cause, whatever it is asked about.

Each reference may be followed many times: forty definitions, each of which refers twice to the next, are looked at 2^40
times for one value. So it is counted how often a schema is applied to one and the same part of a value, at worst: by
what is applied in place (`allOf`, `$ref`, `if` ...), and through what leads deeper (`items`, `properties` ...), down to
the greatest depth of a value. What checks a value then does at most so many applications for each part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from contracts.json import DEEPEST

MOST_APPLICATIONS: Final = 10_000
"""For one part of a value."""

_IN_PLACE: Final = ("not", "if", "then", "else")
_IN_PLACE_LISTS: Final = ("allOf", "anyOf", "oneOf")
_IN_PLACE_TABLES: Final = ("dependentSchemas",)
_DEEPER: Final = (
    *("items", "contains", "unevaluatedItems"),
    *("additionalProperties", "unevaluatedProperties", "propertyNames"),
)
_REFERENCES: Final = ("$ref", "$dynamicRef")

Schema: TypeAlias = "Mapping[str, Any] | bool"
_Applications: TypeAlias = "dict[int, int]"


def too_much_work(schema: Schema) -> str | None:
    """Return why a valid schema is refused because of the work that it can cause; None where it is not."""
    try:
        return _Counted(schema).complaint()
    except _EndlessError:
        return "it refers to itself without going deeper into the value"
    except RecursionError:
        return "its references lead too far"


class _EndlessError(Exception):
    """Something applies itself in place."""


class _Counted:
    """A schema, its parts by identity, and how often each is applied."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._anchors = dict(_anchors(root))
        self._open: set[int] = set()

    def complaint(self) -> str | None:
        parts = self._parts()
        below: _Applications | None = None
        for depth in range(DEEPEST + 1):
            here: _Applications = {}
            for part in parts:
                self._count(part, here, below)
            if here[id(self._root)] > MOST_APPLICATIONS:
                where = f" at depth {depth}" if depth else ""
                return f"it can be applied more than {MOST_APPLICATIONS:,} times to one part of a value{where}"
            if here == below:
                return None
            below = here
        return None

    def _parts(self) -> list[Schema]:
        found: dict[int, Schema] = {}
        waiting = [self._root]
        while waiting:
            part = waiting.pop()
            if id(part) not in found:
                found[id(part)] = part
                waiting += self._applied_in_place(part)
                waiting += (deeper for group in _applied_deeper(part) for deeper in group)
        return list(found.values())

    def _count(self, part: Schema, here: _Applications, below: _Applications | None) -> int:
        """Return how many schemas `part` applies to one part of a value so deep: in place, or by what is below."""
        key = id(part)
        if key in here:
            return here[key]
        if key in self._open:
            raise _EndlessError
        self._open.add(key)
        total = 1 if below is None else _of_children(part, below)
        for other in self._applied_in_place(part):
            total = min(total + self._count(other, here, below), MOST_APPLICATIONS + 1)
        self._open.discard(key)
        here[key] = total
        return total

    def _applied_in_place(self, part: Schema) -> Iterator[Schema]:
        if not isinstance(part, Mapping):
            return
        for name in _IN_PLACE:
            if name in part:
                yield part[name]
        for name in _IN_PLACE_LISTS:
            yield from part.get(name) or ()
        for name in _IN_PLACE_TABLES:
            yield from (part.get(name) or {}).values()
        for name in _REFERENCES:
            if name in part and (target := self._resolved(part[name])) is not None:
                yield target

    def _resolved(self, reference: object) -> Schema | None:
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        fragment = unquote(reference[1:])
        if fragment and not fragment.startswith("/"):
            return self._anchors.get(fragment)
        found: Any = self._root
        for escaped in fragment.split("/")[1:]:
            step = escaped.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and step in found:
                found = found[step]
            elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
                found = found[int(step)]
            else:
                return None
        return found if isinstance(found, Mapping | bool) else None


def _of_children(part: Schema, below: _Applications) -> int:
    """Of the schemas in a group, one is applied to a child at most; of different groups, one of each."""
    return min(
        sum(max((below[id(deeper)] for deeper in group), default=0) for group in _applied_deeper(part)),
        MOST_APPLICATIONS + 1,
    )


def _applied_deeper(part: Schema) -> Iterator[list[Schema]]:
    """Yield what is applied to children, in groups of which a child has one: it has one name, or one place."""
    if not isinstance(part, Mapping):
        return
    yield list((part.get("properties") or {}).values())
    yield list(part.get("prefixItems") or ())
    for name in _DEEPER:
        if name in part:
            yield [part[name]]
    for pattern in (part.get("patternProperties") or {}).values():
        yield [pattern]


def _anchors(value: Any) -> Iterator[tuple[str, Schema]]:
    waiting = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Mapping):
            for name in ("$anchor", "$dynamicAnchor"):
                if isinstance(here.get(name), str):
                    yield here[name], here
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)
