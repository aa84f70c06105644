"""The syntax tree that the checker and the evaluator share.

CEL's parser expands macros into a general fold; here they are put back into what the author wrote (`Loop`, `Let`),
because a loop that is known to be a `map` needs no copying accumulator and has a type. Operators and functions are one
kind of node, `Call`. Offsets are characters of the text; for an operator or a call they point at the sign or the
function's name.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Const:
    """A literal."""

    value: bool | int | float | str | bytes | None
    offset: int


@dataclass(frozen=True, slots=True)
class Name:
    """A root, a loop's variable or a type's name."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Select:
    """A field by a constant name: `a.b` or `a["b"]` (plain), `has(a.b)` (test), `a.?b` or `a[?"b"]` (optional)."""

    operand: "Node"
    field: str
    mode: Literal["plain", "test", "optional"]
    offset: int


@dataclass(frozen=True, slots=True)
class Index:
    """An element by a computed key: `a[b]`, or `a[?b]` when optional."""

    operand: "Node"
    key: "Node"
    optional: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Call:
    """An operator (`_+_`), a function (`size`, `math.ceil`) or a method, whose target is the first argument."""

    function: str
    method: bool
    arguments: tuple["Node", ...]
    offset: int


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list literal; an item that is optional (`?x`) may be left out."""

    items: tuple[tuple["Node", bool], ...]
    offset: int


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map literal of key, value and whether the entry is optional."""

    entries: tuple[tuple["Node", "Node", bool], ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Loop:
    """A comprehension. `filter` is a `map` without a result; `map` with three arguments has both parts."""

    kind: Literal["map", "all", "exists", "exists_one"]
    source: "Node"
    variable: str
    condition: "Node | None"
    result: "Node | None"
    offset: int


@dataclass(frozen=True, slots=True)
class Let:
    """`cel.bind(variable, value, body)`."""

    variable: str
    value: "Node"
    body: "Node"
    offset: int


Node: TypeAlias = Const | Name | Select | Index | Call | ListOf | MapOf | Loop | Let


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, in the order of the text."""
    match node:
        case Const() | Name():
            return ()
        case Select(operand=operand):
            return (operand,)
        case Index(operand=operand, key=key):
            return (operand, key)
        case Call(arguments=arguments):
            return arguments
        case ListOf(items=items):
            return tuple(item for item, _ in items)
        case MapOf(entries=entries):
            return tuple(part for key, value, _ in entries for part in (key, value))
        case Loop():
            return tuple(part for part in (node.source, node.condition, node.result) if part is not None)
        case Let(value=value, body=body):
            return (value, body)


def dotted(node: Node) -> tuple[str, ...] | None:
    """The plain field path that a node is (`a.b["c"]` gives a, b, c), or None."""
    fields: list[str] = []
    while isinstance(node, Select) and node.mode == "plain":
        fields.append(node.field)
        node = node.operand
    return (node.name, *reversed(fields)) if isinstance(node, Name) else None
