"""Syntax tree to Python closures, which compute a value without converting the data.

Each node becomes a function of the frame, made once; a plain field path (`input.customer.name`) becomes a few lookups
in dictionaries. `&&` and `||` take the side that decides even when the other one fails, as CEL prescribes. What a node
does with values is in `values`, `access` and `functions`; this module only knows in which order nodes are computed.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from workflows.language.expressions import values
from workflows.language.expressions.access import contains, element, field_of, has, optional_field, truth
from workflows.language.expressions.frame import Frame
from workflows.language.expressions.functions import FUNCTIONS, Function
from workflows.language.expressions.loops import Code, always, collecting, counting, searching, turns
from workflows.language.expressions.model import STEPS
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
    children,
    dotted,
)
from workflows.language.expressions.values import NOTHING, Fault, Optional, TypeName, article, kind_of

Slots: TypeAlias = Mapping[str, int]

TYPE_NAMES = frozenset(
    {"bool", "bytes", "double", "int", "list", "map", "null_type", "optional_type", "string", "type", "uint"}
)
_NO_SLOTS: Slots = {}


def compile_node(node: Node, slots: Slots = _NO_SLOTS) -> Code:  # noqa: PLR0911 - a case a line
    """Make the function that computes a node; `slots` says where the variables of the loops around it are kept."""
    match node:
        case Const(value=value):
            return lambda _: value
        case Name():
            return _name(node, slots)
        case Select():
            return _path(node, slots) or _select(node, slots)
        case Index():
            return _index(node, slots)
        case Call():
            return _call(node, slots)
        case ListOf():
            return _list(node, slots)
        case MapOf():
            return _map(node, slots)
        case Loop():
            return _loop(node, slots)
        case Let():
            return _let(node, slots)


def depth_of_variables(node: Node) -> int:
    """How many loop variables are alive at once at most."""
    own = 1 if isinstance(node, Loop | Let) else 0
    return own + max((depth_of_variables(child) for child in children(node)), default=0)


def _weight(node: Node) -> int:
    own = _FUNCTION_WEIGHT if isinstance(node, Call) and node.function not in OPERATORS else 1
    return own + sum(map(_weight, children(node)))


_FUNCTION_WEIGHT = 10


def _name(node: Name, slots: Slots) -> Code:
    name = node.name
    if name in slots:
        slot = slots[name]
        return lambda frame: frame.locals[slot]
    if name in TYPE_NAMES:
        type_name = TypeName("int" if name == "uint" else name)
        return lambda _: type_name
    return lambda frame: _root(frame, name)


def _root(frame: Frame, name: str) -> Any:
    try:
        return frame.bindings.root(name)
    except KeyError:
        raise Fault(f"`{name}` has no value here") from None


def _step(frame: Frame, name: str) -> Any:
    try:
        return frame.bindings.step(name)
    except KeyError:
        raise Fault(f"step `{name}` has not run", f"ask first: has(steps.{name}.output)") from None


def _path(node: Select, slots: Slots) -> Code | None:
    """The quick way for a plain field path that starts at a root or a step."""
    names = dotted(node)
    if names is None or names[0] in slots:
        return None
    read, start, fields = (_step, names[1], names[2:]) if names[0] == STEPS else (_root, names[0], names[1:])

    def walk(frame: Frame) -> Any:
        value = read(frame, start)
        try:
            for field in fields:
                value = value[field]
        except (KeyError, TypeError):
            return _walk_slowly(read(frame, start), names, len(names) - len(fields))
        return value

    return walk


def _walk_slowly(value: Any, names: tuple[str, ...], done: int) -> Any:
    for at in range(done, len(names)):
        value = field_of(value, names[at], names[:at])
    return value


def _select(node: Select, slots: Slots) -> Code:
    field, path = node.field, dotted(node.operand)
    operand = _operand(node, slots)
    if node.mode == "optional":
        return lambda frame: optional_field(operand(frame), field)
    if node.mode == "test":
        return lambda frame: has(operand(frame), field)
    return lambda frame: field_of(operand(frame), field, path)


def _operand(node: Select, slots: Slots) -> Code:
    """What a test or an optional field is read of; below `steps`, a step that has not run counts as missing."""
    names = dotted(node.operand)
    if names is None or names[0] != STEPS or STEPS in slots:
        return compile_node(node.operand, slots)

    def read(frame: Frame) -> Any:
        if len(names) == 1:
            return _ran(frame, node.field)
        return _walk_slowly(_ran(frame, names[1]).get(names[1], NOTHING), names, 2)

    return read


def _ran(frame: Frame, name: str) -> dict[str, Any]:
    try:
        return {name: frame.bindings.step(name)}
    except KeyError:
        return {}


def _index(node: Index, slots: Slots) -> Code:
    operand, key, path = compile_node(node.operand, slots), compile_node(node.key, slots), dotted(node.operand)
    if node.optional:
        return lambda frame: optional_field(operand(frame), key(frame))
    return lambda frame: element(operand(frame), key(frame), path)


_LAZY = {"_&&_": False, "_||_": True}


def _call(node: Call, slots: Slots) -> Code:
    arguments = [compile_node(argument, slots) for argument in node.arguments]
    if node.function in _LAZY:
        return _logic(node.function, _LAZY[node.function], *arguments)
    if node.function == "_?_:_":
        return _choice(*arguments)
    if node.function in {"or", "orValue"} and node.method:
        return _fallback(FUNCTIONS[node.function, True], *arguments)
    if node.function in _UNARY:
        return _unary(_UNARY[node.function], *arguments)
    if node.function in BINARY:
        return _binary(BINARY[node.function], *arguments)
    function = FUNCTIONS[node.function, node.method]
    return lambda frame: function.call(frame, [argument(frame) for argument in arguments])


def _unary(function: Callable[[Any], Any], operand: Code) -> Code:
    return lambda frame: function(operand(frame))


def _binary(function: Callable[[Any, Any, Frame], Any], left: Code, right: Code) -> Code:
    return lambda frame: function(left(frame), right(frame), frame)


def _not(value: Any) -> bool:
    return not truth(value, "`!`")


def _comparison(sign: str) -> Callable[[Any, Any, Frame], bool]:
    compare = values.comparison(sign)
    return lambda left, right, _: compare(left, right)


_UNARY: Mapping[str, Callable[[Any], Any]] = {"!_": _not, "-_": values.negative}
BINARY: Mapping[str, Callable[[Any, Any, Frame], Any]] = {
    **{f"_{sign}_": values.arithmetic(sign) for sign in "+-*/%"},
    **{f"_{sign}_": _comparison(sign) for sign in ("<", "<=", ">", ">=")},
    "_==_": values.equal,
    "_!=_": lambda left, right, frame: not values.equal(left, right, frame),
    "@in": contains,
}
"""The operators with two sides, both of which are always computed."""

OPERATORS = frozenset({*_UNARY, *BINARY, *_LAZY, "_?_:_"})


def _logic(function: str, decides: bool, left: Code, right: Code) -> Code:
    who = f"`{function.strip('_')}`"

    def evaluate(frame: Frame) -> bool:
        try:
            if truth(left(frame), who) is decides:
                return decides
        except Fault:
            if frame.left >= 0 and truth(right(frame), who) is decides:
                return decides
            raise
        return truth(right(frame), who)

    return evaluate


def _choice(condition: Code, then: Code, otherwise: Code) -> Code:
    return lambda frame: then(frame) if truth(condition(frame), "`? :`") else otherwise(frame)


def _fallback(function: Function, first: Code, other: Code) -> Code:
    def evaluate(frame: Frame) -> Any:
        value = first(frame)
        if type(value) is Optional and value.present:
            return value if function.name == "or" else value.value
        return function.call(frame, [value, other(frame)])

    return evaluate


def _list(node: ListOf, slots: Slots) -> Code:
    if not any(optional for _, optional in node.items):
        items = [compile_node(item, slots) for item, _ in node.items]
        return lambda frame: [item(frame) for item in items]
    parts = [(compile_node(item, slots), optional) for item, optional in node.items]

    def evaluate(frame: Frame) -> list[Any]:
        made = []
        for code, optional in parts:
            value = code(frame)
            if not optional:
                made.append(value)
            elif _wanted(value).present:
                made.append(value.value)
        return made

    return evaluate


def _wanted(value: Any) -> Optional:
    if type(value) is Optional:
        return value
    raise Fault(f"`?` in a literal needs an optional value, not {article(kind_of(value))}", "read it with `.?`")


def _map(node: MapOf, slots: Slots) -> Code:
    parts = [(compile_node(key, slots), compile_node(value, slots), optional) for key, value, optional in node.entries]

    def evaluate(frame: Frame) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key_code, code, optional in parts:
            key, value = _new_key(key_code(frame), made), code(frame)
            if not optional:
                made[key] = value
            elif _wanted(value).present:
                made[key] = value.value
        return made

    return evaluate


def _new_key(key: Any, made: dict[Any, Any]) -> Any:
    if type(key) not in (str, int):
        raise Fault(f"a map's key must be a string or a whole number, not {article(kind_of(key))}")
    if key in made:
        raise Fault(f"the key {key!r} stands twice in a map")
    return key


def _loop(node: Loop, slots: Slots) -> Code:
    slot = max(slots.values(), default=-1) + 1
    inner = {**slots, node.variable: slot}
    source = compile_node(node.source, slots)
    condition = compile_node(node.condition, inner) if node.condition else None
    result = compile_node(node.result, inner) if node.result else None
    each = turns(source, slot, _weight(node))
    match node.kind:
        case "map":
            return collecting(each, condition, result)
        case "exists_one":
            return counting(each, condition or always)
        case kind:
            return searching(each, condition or always, decides=kind == "exists")


def _let(node: Let, slots: Slots) -> Code:
    slot = max(slots.values(), default=-1) + 1
    value, body = compile_node(node.value, slots), compile_node(node.body, {**slots, node.variable: slot})

    def evaluate(frame: Frame) -> Any:
        frame.locals[slot] = value(frame)
        return body(frame)

    return evaluate
