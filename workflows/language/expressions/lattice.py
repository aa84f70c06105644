"""Static types: a small lattice that JSON Schemas fit into.

There is one type of number. An object knows its fields; when it is open, others may be there. `any` is a value of which
nothing is known; a union is one of its members. The rule of all checks is that an operation is wrong only when it is
wrong for every member, so that whatever a schema leaves open is left to the run.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "any", "null", "bool", "number", "string", "bytes", "timestamp", "duration", "list", "object", "optional", "type",
    "union",
]  # fmt: skip


@dataclass(frozen=True)
class Type:
    """A static type.

    Attributes:
        kind: Which sort; the words are those of the messages.
        element: Of a list or an optional value: the type inside.
        fields: Of an object: the fields that are known.
        open: Of an object: whether it may have other fields too.
        required: Of an object: the fields that are always there.
        members: Of a union: at least two types, none of them a union or `any`.
    """

    kind: Kind
    element: "Type | None" = None
    fields: Mapping[str, "Type"] = field(default_factory=dict)
    open: bool = True
    required: frozenset[str] = frozenset()
    members: tuple["Type", ...] = ()

    @property
    def options(self) -> tuple["Type", ...]:
        """The types that it can be one at a time: its members, or itself."""
        return self.members or (self,)


ANY = Type("any")
NULL = Type("null")
BOOL = Type("bool")
NUMBER = Type("number")
STRING = Type("string")
BYTES = Type("bytes")
TIMESTAMP = Type("timestamp")
DURATION = Type("duration")
TYPE = Type("type")
OBJECT = Type("object")


def list_of(element: Type) -> Type:
    """The type of lists of one type of element."""
    return Type("list", element=element)


def optional_of(element: Type) -> Type:
    """The type of CEL's optional values."""
    return Type("optional", element=element)


def object_of(fields: Mapping[str, Type], *, is_open: bool = False, required: Iterable[str] = ()) -> Type:
    """The type of objects with these fields; closed unless said otherwise."""
    return Type("object", fields=fields, open=is_open, required=frozenset(required))


def union(*types: Type) -> Type:
    """The type of whatever is of one of these types; `any` swallows the others."""
    members: list[Type] = []
    for option in (option for type_ in types for option in type_.options):
        if option.kind == "any":
            return ANY
        if option not in members:
            members.append(option)
    if not members:
        return ANY
    return members[0] if len(members) == 1 else Type("union", members=tuple(members))


def inside(type_: Type) -> Type:
    """The type inside a list or an optional value."""
    return type_.element or ANY


def map_options(type_: Type, change: Callable[[Type], Type | None]) -> Type | None:
    """Apply an operation to each option, leaving out those for which it is wrong; None when it is wrong for all."""
    results = [result for option in type_.options if (result := change(option)) is not None]
    return union(*results) if results else None


def can_be(type_: Type, *kinds: str) -> bool:
    """Whether some option is of one of the kinds, or nothing is known."""
    return any(option.kind == "any" or option.kind in kinds for option in type_.options)


def overlap(left: Type, right: Type) -> bool:
    """Whether a value of one type could equal one of the other; null may be compared with everything."""
    kinds = {option.kind for option in left.options} | {"null"}
    if "any" in kinds:
        return True
    return any(option.kind in kinds or option.kind == "any" for option in right.options)


def described(type_: Type) -> str:
    """Name a type in a message."""
    return " or ".join(dict.fromkeys("value" if option.kind == "any" else option.kind for option in type_.options))


def as_json(type_: Type) -> Type:
    """The type of a value that left an expression: times and bytes are strings, an empty optional is null."""
    return _exported(type_, {})


def _exported(type_: Type, done: dict[int, Type]) -> Type:
    """Schemas share the types of their definitions many times over, so that each is converted once."""
    if id(type_) not in done:
        done[id(type_)] = _export(type_, done)
    return done[id(type_)]


def _export(type_: Type, done: dict[int, Type]) -> Type:
    match type_.kind:
        case "timestamp" | "duration" | "bytes":
            return STRING
        case "list":
            return list_of(_exported(inside(type_), done))
        case "object":
            return replace(type_, fields={name: _exported(value, done) for name, value in type_.fields.items()})
        case "optional":
            return union(_exported(inside(type_), done), NULL)
        case "type":
            return ANY
        case "union":
            return union(*(_exported(member, done) for member in type_.members))
    return type_
