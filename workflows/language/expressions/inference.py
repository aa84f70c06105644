"""The static check of one expression: a type for every node, and a finding where no run could succeed.

It walks the same tree as the evaluator and uses the same table of functions. A complaint stands only where every
possible type is wrong; what is open or unknown has type `any` and is left to the run. Each mistake is reported once: a
node that is wrong has type `any` for the nodes around it.
"""

import difflib
from collections.abc import Mapping
from itertools import product

from workflows.language.expressions.access import fields_there
from workflows.language.expressions.evaluate import BINARY, TYPE_NAMES
from workflows.language.expressions.functions import FUNCTIONS, Function, misuse
from workflows.language.expressions.lattice import (
    ANY,
    BOOL,
    BYTES,
    DURATION,
    NULL,
    NUMBER,
    STRING,
    TIMESTAMP,
    TYPE,
    Type,
    can_be,
    described,
    inside,
    list_of,
    map_options,
    object_of,
    optional_of,
    overlap,
    union,
)
from workflows.language.expressions.model import STEPS, Finding
from workflows.language.expressions.nodes import (
    Call,
    Const,
    Index,
    Let,
    ListOf,
    Loop,
    MapOf,
    Name,
    Node,
    Select,
    dotted,
)
from workflows.language.expressions.rules import ARITHMETIC, element_of, field_of, sum_of, turn_of
from workflows.language.expressions.schema import type_of_value
from workflows.language.expressions.scope import did_you_mean
from workflows.language.expressions.values import article, cannot_combine

_RESULTS = {
    "any": ANY, "null": NULL, "bool": BOOL, "number": NUMBER, "string": STRING, "bytes": BYTES, "timestamp": TIMESTAMP,
    "duration": DURATION, "type": TYPE, "optional": optional_of(ANY), "strings": list_of(STRING),
}  # fmt: skip
_ORDERED = ("number", "string", "bool", "timestamp", "duration", "bytes")
_ORDERINGS = ("_<_", "_<=_", "_>_", "_>=_")
_EQUALITIES = ("_==_", "_!=_")
_LOGIC = ("_&&_", "_||_")


class Inference:
    """Types and findings of one expression."""

    def __init__(self, variables: Mapping[str, Type], steps: Mapping[str, Type]) -> None:
        """Take what is known of the roots and loop names, and of each step that may be read."""
        self._variables = variables
        self._steps = steps
        self.findings: list[Finding] = []

    def infer(self, node: Node, local: Mapping[str, Type]) -> Type:  # noqa: PLR0911 - a case a line
        """Give a node's type, with the types of the loop variables around it."""
        match node:
            case Const(value=value):
                return BYTES if isinstance(value, bytes) else type_of_value(value)
            case Name(name=name):
                return self._name(name, local)
            case Select():
                return self._select(node, local)
            case Index():
                return self._index(node, local)
            case Call():
                return self._call(node, local)
            case ListOf(items=items):
                return list_of(union(*(self._item(item, optional, local) for item, optional in items)))
            case MapOf():
                return self._map(node, local)
            case Loop():
                return self._loop(node, local)
            case Let(variable=variable, value=value, body=body):
                return self.infer(body, {**local, variable: self.infer(value, local)})

    def demand(self, node: Node, type_: Type, kind: str, who: str) -> None:
        """Complain unless a node can be of a kind."""
        if not can_be(type_, kind):
            wanted = "true or false" if kind == "bool" else article(kind)
            self._complain(*_extent(node), f"{who} needs {wanted}, this is {article(described(type_))}")

    def _name(self, name: str, local: Mapping[str, Type]) -> Type:
        if name in local:
            return local[name]
        return TYPE if name in TYPE_NAMES else self._variables.get(name, ANY)

    def _select(self, node: Select, local: Mapping[str, Type]) -> Type:
        if isinstance(node.operand, Name) and node.operand.name == STEPS and STEPS not in local:
            found = self._step(node)
        else:
            found = self._field(node, self.infer(node.operand, local))
        if node.mode == "test":
            return BOOL
        return optional_of(found) if node.mode == "optional" and found.kind != "optional" else found

    def _step(self, node: Select) -> Type:
        known = self._steps.get(node.field)
        if known is None:
            hint = did_you_mean(node.field, self._steps)
            self._complain(node.offset, len(node.field), f"there is no step `{node.field}` to read here", hint)
        return known or ANY

    def _field(self, node: Select, operand: Type) -> Type:
        found = map_options(operand, lambda option: field_of(option, node.field))
        if found is None:
            self._missing_field(node, operand)
        return found or ANY

    def _missing_field(self, node: Select, operand: Type) -> None:
        fields = sorted({name for option in operand.options for name in option.fields})
        near = difflib.get_close_matches(node.field, fields, 1)
        names = dotted(node.operand)
        if can_be(operand, "object"):
            path = ".".join((*names, node.field)) if names else node.field
            message = f"`{path}` does not exist; {fields_there(fields)}"
        else:
            place = f"`{'.'.join(names)}`" if names else "the value before it"
            message = f"there is no field `{node.field}`: {place} is {article(described(operand))}"
        hint = f"did you mean `{near[0]}`?" if near else None
        self._complain(node.offset, len(node.field), message, hint)

    def _index(self, node: Index, local: Mapping[str, Type]) -> Type:
        operand, key = self.infer(node.operand, local), self.infer(node.key, local)
        found = map_options(operand, lambda option: element_of(option, key))
        if found is None:
            message = f"{article(described(operand))} cannot be looked into with {article(described(key))}"
            self._complain(node.offset, 1, message)
            return ANY
        return optional_of(found) if node.optional else found

    def _item(self, node: Node, optional: bool, local: Mapping[str, Type]) -> Type:
        type_ = self.infer(node, local)
        if not optional:
            return type_
        self.demand(node, type_, "optional", "`?`")
        return inside(type_)

    def _map(self, node: MapOf, local: Mapping[str, Type]) -> Type:
        fields: dict[str, Type] = {}
        required: set[str] = set()
        is_open = False
        for key, value, optional in node.entries:
            type_ = self._item(value, optional, local)
            if isinstance(key, Const) and isinstance(key.value, str):
                fields[key.value] = type_
                required.update(() if optional else (key.value,))
            else:
                self.infer(key, local)
                is_open = True
        return object_of(fields, is_open=is_open, required=required)

    def _loop(self, node: Loop, local: Mapping[str, Type]) -> Type:
        source = self.infer(node.source, local)
        element = map_options(source, turn_of)
        if element is None:
            message = f"only a list or an object can be iterated, this is {article(described(source))}"
            self._complain(*_extent(node.source), message)
        inner = {**local, node.variable: element or ANY}
        if node.condition is not None:
            self.demand(node.condition, self.infer(node.condition, inner), "bool", "the condition")
        if node.kind != "map":
            return BOOL
        return list_of(self.infer(node.result, inner) if node.result is not None else inner[node.variable])

    def _call(self, node: Call, local: Mapping[str, Type]) -> Type:
        types = [self.infer(argument, local) for argument in node.arguments]
        name = node.function
        if name in _LOGIC or name == "!_":
            for argument, type_ in zip(node.arguments, types, strict=True):
                self.demand(argument, type_, "bool", f"`{name.strip('_')}`")
            return BOOL
        if name == "_?_:_":
            self.demand(node.arguments[0], types[0], "bool", "`? :`")
            return union(*types[1:])
        if name == "-_":
            self.demand(node.arguments[0], types[0], "number", "`-`")
            return NUMBER
        if name in ARITHMETIC:
            return self._arithmetic(node, *types)
        if name in _ORDERINGS or name in _EQUALITIES or name == "@in":
            self._relation(node, *types)
            return BOOL
        return self._function(node, FUNCTIONS[name, node.method], types)

    def _arithmetic(self, node: Call, left: Type, right: Type) -> Type:
        table = ARITHMETIC[node.function]
        sums = (sum_of(node.function, table, one, other) for one, other in product(left.options, right.options))
        results = [result for result in sums if result is not None]
        if not results:
            sign = node.function.strip("_")
            self._complain(node.offset, len(sign), *cannot_combine(sign, described(left), described(right)))
        return union(*results)

    def _relation(self, node: Call, left: Type, right: Type) -> None:
        sign = node.function.strip("_")
        if node.function in _EQUALITIES:
            if not overlap(left, right):
                message = f"{article(described(left))} never equals {article(described(right))}"
                self._complain(node.offset, len(sign), message)
        elif node.function == "@in":
            self._membership(node, left, right)
        elif not any(can_be(left, kind) and can_be(right, kind) for kind in _ORDERED):
            message = f"`{sign}` cannot compare {article(described(left))} with {article(described(right))}"
            self._complain(node.offset, len(sign), message)

    def _membership(self, node: Call, left: Type, right: Type) -> None:
        elements = map_options(right, turn_of)
        if elements is None:
            message = f"`in` needs a list or an object on its right, this is {article(described(right))}"
            self._complain(node.offset, 2, message)
        elif not overlap(left, elements):
            message = f"{article(described(left))} is never in a list of {described(elements)}"
            self._complain(node.offset, 2, message)

    def _function(self, node: Call, function: Function, types: list[Type]) -> Type:
        if function.name in {"orValue", "value", "optional.of"}:
            return self._optional(node, function, types)
        results = []
        for signature in function.signatures:
            parameters = [signature.parameter(at).replace("whole", "number") for at in range(len(types))]
            if signature.takes(len(types)) and all(
                kind == "any" or can_be(type_, kind) for type_, kind in zip(types, parameters, strict=True)
            ):
                results.append(_RESULTS[signature.result])
        if not results:
            message = misuse(function, [described(type_) for type_ in types])
            self._complain(node.offset, len(function.name), message)
        return union(*results)

    def _optional(self, node: Call, function: Function, types: list[Type]) -> Type:
        if function.name == "optional.of":
            return optional_of(types[0])
        self.demand(node.arguments[0], types[0], "optional", f"`{function.name}`")
        return union(map_options(types[0], _unwrapped) or ANY, *types[1:])

    def _complain(self, offset: int, length: int, message: str, hint: str | None = None) -> None:
        self.findings.append(Finding(offset, length, message, hint))


def _unwrapped(option: Type) -> Type | None:
    return inside(option) if option.kind in ("optional", "any") else None


def _extent(node: Node) -> tuple[int, int]:
    """The first character of a node and how many to underline, as far as its parts tell."""
    match node:
        case Select(operand=operand, field=field, offset=offset):
            start = _extent(operand)[0]
            return start, offset + len(field) - start
        case Index(operand=operand):
            return _extent(operand)
        case Name(name=name, offset=offset):
            return offset, len(name)
        case Call(arguments=(first, *_), method=method, function=function) if method or function in BINARY:
            return _extent(first)
    return node.offset, 1
