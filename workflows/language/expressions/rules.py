"""What each operation does to types: sums, fields, elements, the turns of a loop. `None` means that it cannot work."""

from collections.abc import Mapping

from workflows.language.expressions.lattice import (
    ANY,
    BYTES,
    DURATION,
    NUMBER,
    STRING,
    TIMESTAMP,
    Type,
    can_be,
    inside,
    list_of,
    map_options,
    optional_of,
    union,
)

_SUMS = {
    ("number", "number"): NUMBER,
    ("string", "string"): STRING,
    ("bytes", "bytes"): BYTES,
    ("timestamp", "duration"): TIMESTAMP,
    ("duration", "timestamp"): TIMESTAMP,
    ("duration", "duration"): DURATION,
}
_DIFFERENCES = {
    ("number", "number"): NUMBER,
    ("timestamp", "duration"): TIMESTAMP,
    ("timestamp", "timestamp"): DURATION,
    ("duration", "duration"): DURATION,
}
ARITHMETIC = {
    "_+_": _SUMS,
    "_-_": _DIFFERENCES,
    **{function: {("number", "number"): NUMBER} for function in ("_*_", "_/_", "_%_")},
}


def field_of(option: Type, field: str) -> Type | None:
    """The type of a field; of an optional value, the optional field."""
    match option.kind:
        case "any":
            return ANY
        case "object":
            return option.fields.get(field, ANY if option.open else None)
        case "optional":
            found = map_options(inside(option), lambda inner: field_of(inner, field))
            return None if found is None else optional_of(found)
    return None


def element_of(option: Type, key: Type) -> Type | None:
    """The type of what `value[key]` gives."""
    match option.kind:
        case "any":
            return ANY
        case "list":
            return inside(option) if can_be(key, "number") else None
        case "object":
            return _values_of(option) if can_be(key, "string", "number") else None
        case "optional":
            return optional_of(ANY)
    return None


def _values_of(option: Type) -> Type:
    return ANY if option.open else union(*option.fields.values())


def turn_of(option: Type) -> Type | None:
    """What a loop's variable is: a list's element or an object's key (a map literal may have number keys)."""
    match option.kind:
        case "any":
            return ANY
        case "list":
            return inside(option)
        case "object":
            return STRING if option.fields and not option.open else ANY
    return None


def sum_of(function: str, table: Mapping[tuple[str, str], Type], left: Type, right: Type) -> Type | None:
    """The type of a sum, difference, product, quotient or remainder of two types that are no unions."""
    if "any" in (left.kind, right.kind):
        return _sum_with_any(table, left, right)
    if function == "_+_" and left.kind == right.kind == "list":
        return list_of(union(inside(left), inside(right)))
    return table.get((left.kind, right.kind))


def _sum_with_any(table: Mapping[tuple[str, str], Type], left: Type, right: Type) -> Type | None:
    """One side is unknown: the other one must have the operation with something."""
    known = right.kind if left.kind == "any" else left.kind
    if known in ("any", "list"):
        return ANY
    return ANY if any(known == (pair[1] if left.kind == "any" else pair[0]) for pair in table) else None
