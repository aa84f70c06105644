"""Every function that an expression may call: one table that the evaluator and the checker share.

A signature is spelt `kind.name(kinds) -> kind` for a method and `name(kinds) -> kind` for a function; alternatives
stand on lines of their own. `whole` is a number that must be whole and reaches the function as an `int` (JSON may spell
it 3.0). What Google's library computes as it is goes there; what must treat numbers as JSON does, or needs a bound, is
ours.
"""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from workflows.language.expressions import conversions, mathematics
from workflows.language.expressions.frame import Frame
from workflows.language.expressions.google import library_call
from workflows.language.expressions.patterns import cost_of
from workflows.language.expressions.values import (
    KINDS,
    MAX_RESULT_BYTES,
    NOTHING,
    Fault,
    Optional,
    article,
    checked,
    kind_of,
    whole,
)

_ACCEPTED: dict[str, frozenset[type]] = {
    "any": frozenset(KINDS),
    "whole": frozenset({int, float}),
    **{kind: frozenset(type_ for type_ in KINDS if KINDS[type_] == kind) for kind in set(KINDS.values())},
}
_SIZED = (str, bytes, list, dict)
_CONSTANT_TIME = frozenset({"size", "dyn", "type", "optional.of", "optional.ofNonZeroValue", "or", "orValue"})
_OPTIONAL_MAKERS = frozenset({"optional.of", "optional.ofNonZeroValue", "optional.none"})


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to call a function; a method's own value is the first parameter."""

    parameters: tuple[str, ...]
    result: str
    repeats: bool

    def takes(self, count: int) -> bool:
        """Whether a call with so many arguments (the method's own value included) fits."""
        return count >= len(self.parameters) if self.repeats else count == len(self.parameters)

    def parameter(self, at: int) -> str:
        """The kind of the argument at a position."""
        return self.parameters[min(at, len(self.parameters) - 1)]


@dataclass(frozen=True, slots=True)
class Function:
    """A function, its signatures and what computes it."""

    name: str
    method: bool
    signatures: tuple[Signature, ...]
    run: Callable[..., object]
    constant_time: bool

    def call(self, frame: Frame, arguments: list[Any]) -> object:
        """Check the arguments, pay for their size, and compute.

        Raises:
            Fault: The arguments fit no signature, or the function refuses them.
        """
        for signature in self.signatures:
            if _fits(signature, arguments):
                if not self.constant_time:
                    frame.spend(sum(len(value) >> 4 for value in arguments if type(value) in _SIZED))
                if "whole" in signature.parameters:
                    arguments = [
                        whole(value) if kind == "whole" else value
                        for kind, value in zip(signature.parameters, arguments, strict=True)
                    ]
                return self.run(frame, *arguments)
        raise Fault(misuse(self, [kind_of(value) for value in arguments]))


def _fits(signature: Signature, arguments: list[Any]) -> bool:
    if not signature.takes(len(arguments)):
        return False
    return all(type(value) in _ACCEPTED[signature.parameter(at)] for at, value in enumerate(arguments))


def misuse(function: Function, kinds: list[str]) -> str:
    """Say what a function was given and what it takes."""
    given = ", ".join(map(article, kinds)) or "nothing"
    return f"`{function.name}` takes {usage(function)}; it was given {given}"


def usage(function: Function) -> str:
    """The calls that a function allows, as a reader would write them."""
    ways = []
    for signature in function.signatures:
        parameters = [kind.replace("whole", "number") for kind in signature.parameters]
        if signature.repeats:
            parameters.append("...")
        own = f"{parameters.pop(0)}." if function.method else ""
        ways.append(f"{own}{function.name}({', '.join(parameters)})")
    return " or ".join(dict.fromkeys(ways))


def _size(_: Frame, value: Any) -> object:
    return len(value)


def _contains(_: Frame, text: str, part: str) -> object:
    return part in text


def _starts_with(_: Frame, text: str, part: str) -> object:
    return text.startswith(part)


def _ends_with(_: Frame, text: str, part: str) -> object:
    return text.endswith(part)


def _replace(frame: Frame, text: str, old: str, new: str, limit: int = -1) -> object:
    count = text.count(old) if limit < 0 else min(text.count(old), limit)
    _room(frame, len(text) + count * (len(new) - len(old)))
    return text.replace(old, new, limit)


def _join(frame: Frame, items: list[Any], separator: str = "") -> object:
    wrong = next((item for item in items if type(item) is not str), None)
    if wrong is not None or None in items:
        raise Fault(f"`join` needs a list of strings; it holds {article(kind_of(wrong))}", "use .map(x, string(x))")
    _room(frame, sum(map(len, items)) + len(separator) * max(len(items) - 1, 0))
    return separator.join(items)


def _split(frame: Frame, text: str, separator: str, limit: int = -1) -> object:
    frame.spend(len(text) if separator == "" else text.count(separator))
    if limit == 0:
        return []
    if separator != "":
        return text.split(separator, limit - 1 if limit > 0 else -1)
    if limit < 0 or limit >= len(text):
        return list(text) or [""]
    return [*text[: limit - 1], text[limit - 1 :]]


def _room(frame: Frame, length: int) -> None:
    frame.spend(length >> 4)
    if length > MAX_RESULT_BYTES:
        raise Fault("the result is too large")


def _matches(frame: Frame, text: str, pattern: str) -> object:
    frame.spend(len(pattern) << 2)  # before it is read, which itself takes time
    cost = cost_of(pattern)
    frame.spend(cost.build + (len(text) * cost.run >> 5))
    return library_call("matches", False, text, pattern)


def _index_of(_: Frame, text: str, part: str, start: int = 0) -> object:
    """Search as the library does, but in linear time, which its own search is not."""
    return text.find(part, _place("indexOf", start, text))


def _last_index_of(_: Frame, text: str, part: str, last: int | None = None) -> object:
    place = len(text) if last is None else _place("lastIndexOf", last, text)
    # Python searches backwards in quadratic time, forwards in linear time.
    backwards = text[: place + len(part)][::-1].find(part[::-1])
    return -1 if backwards < 0 else min(len(text), place + len(part)) - backwards - len(part)


def _place(function: str, place: int, text: str) -> int:
    if not 0 <= place <= len(text):
        raise Fault(f"`{function}` failed: index out of range: {place}")
    return place


def _of_non_zero(_: Frame, value: Any) -> object:
    empty = value is None or value is False or (type(value) is not bool and not value and type(value) in _ZEROES)
    return NOTHING if empty else Optional(True, value)


_ZEROES = (int, float, str, bytes, list, dict)


def _unwrap(_: Frame, value: Optional) -> object:
    if value.present:
        return value.value
    raise Fault("the optional value is empty", "give a default: .orValue(...)")


def _forward(name: str, method: bool = True) -> Callable[..., object]:
    return lambda _, *arguments: library_call(name, method, *arguments)


def _table() -> dict[tuple[str, bool], Function]:
    return {(function.name, function.method): function for function in map(_function, *zip(*_ENTRIES, strict=True))}


def _function(signatures: str, run: Callable[..., object]) -> Function:
    first = signatures.split("(", maxsplit=1)[0].strip()
    head, dot, name = first.rpartition(".")
    method = bool(dot) and head in _ACCEPTED and first not in _OPTIONAL_MAKERS
    ways = tuple(_signature(line.strip(), method) for line in signatures.splitlines())
    own_name = name if method else first
    return Function(own_name, method, ways, run, own_name in _CONSTANT_TIME)


def _signature(line: str, method: bool) -> Signature:
    call, _, result = line.partition(" -> ")
    head, _, inside = call.rstrip(")").partition("(")
    repeats = inside.endswith("...")
    parameters = [kind for kind in inside.removesuffix("...").split(", ") if kind]
    if method:
        parameters.insert(0, head.partition(".")[0])
    return Signature(tuple(parameters), result, repeats)


def _accessor(name: str) -> tuple[str, Callable[..., object]]:
    ways = [f"timestamp.{name}() -> number", f"timestamp.{name}(string) -> number"]
    if name in {"getHours", "getMinutes", "getSeconds", "getMilliseconds"}:
        ways.append(f"duration.{name}() -> number")
    return "\n".join(ways), conversions.accessor(name)


def _alternatives(pattern: str, kinds: str) -> str:
    return "\n".join(pattern.replace("T", kind) for kind in kinds.split())


_ENTRIES: list[tuple[str, Callable[..., object]]] = [
    (_alternatives("size(T) -> number", "string list object bytes"), _size),
    (_alternatives("T.size() -> number", "string list object bytes"), _size),
    ("string.contains(string) -> bool", _contains),
    ("string.startsWith(string) -> bool", _starts_with),
    ("string.endsWith(string) -> bool", _ends_with),
    ("string.matches(string) -> bool", _matches),
    ("matches(string, string) -> bool", _matches),
    ("string.charAt(whole) -> string", _forward("charAt")),
    ("string.indexOf(string) -> number\nstring.indexOf(string, whole) -> number", _index_of),
    ("string.lastIndexOf(string) -> number\nstring.lastIndexOf(string, whole) -> number", _last_index_of),
    ("string.lowerAscii() -> string", _forward("lowerAscii")),
    ("string.upperAscii() -> string", _forward("upperAscii")),
    ("string.substring(whole) -> string\nstring.substring(whole, whole) -> string", _forward("substring")),
    ("string.trim() -> string", _forward("trim")),
    ("string.reverse() -> string", _forward("reverse")),
    ("string.replace(string, string) -> string\nstring.replace(string, string, whole) -> string", _replace),
    ("string.split(string) -> strings\nstring.split(string, whole) -> strings", _split),
    ("string.format(list) -> string", conversions.to_format),
    ("list.join() -> string\nlist.join(string) -> string", _join),
    ("strings.quote(string) -> string", _forward("strings.quote", method=False)),
    (_alternatives("string(T) -> string", "string number bool timestamp duration bytes"), conversions.to_string),
    (_alternatives("int(T) -> number", "number string timestamp"), conversions.to_whole),
    (_alternatives("uint(T) -> number", "number string"), conversions.to_unsigned),
    (_alternatives("double(T) -> number", "number string"), conversions.to_fraction),
    (_alternatives("bool(T) -> bool", "bool string"), conversions.to_bool),
    (_alternatives("bytes(T) -> bytes", "bytes string"), conversions.to_bytes),
    (_alternatives("timestamp(T) -> timestamp", "string timestamp whole"), conversions.to_timestamp),
    (_alternatives("duration(T) -> duration", "string duration"), conversions.to_duration),
    ("type(any) -> type", conversions.to_type),
    ("dyn(any) -> any", lambda _, value: value),
    ("uuid() -> string", lambda frame: frame.bindings.uuid()),
    *(_accessor(name) for name in conversions.ACCESSORS),
    ("math.greatest(list) -> number\nmath.greatest(number...) -> number", mathematics.extreme(max)),
    ("math.least(list) -> number\nmath.least(number...) -> number", mathematics.extreme(min)),
    ("math.ceil(number) -> number", mathematics.rounding(math.ceil)),
    ("math.floor(number) -> number", mathematics.rounding(math.floor)),
    ("math.round(number) -> number", mathematics.rounding(mathematics.half_away)),
    ("math.trunc(number) -> number", mathematics.rounding(math.trunc)),
    ("math.abs(number) -> number", lambda _, value: checked(abs(value))),
    ("math.sign(number) -> number", mathematics.sign),
    ("math.sqrt(number) -> number", mathematics.root),
    ("math.isNaN(number) -> bool", lambda _, value: math.isnan(value)),
    ("math.isInf(number) -> bool", lambda _, value: math.isinf(value)),
    ("math.isFinite(number) -> bool", lambda _, value: math.isfinite(value)),
    ("math.bitAnd(whole, whole) -> number", mathematics.bitwise(operator.and_)),
    ("math.bitOr(whole, whole) -> number", mathematics.bitwise(operator.or_)),
    ("math.bitXor(whole, whole) -> number", mathematics.bitwise(operator.xor)),
    ("math.bitNot(whole) -> number", lambda _, value: ~value),
    ("math.bitShiftLeft(whole, whole) -> number", mathematics.shift(left=True)),
    ("math.bitShiftRight(whole, whole) -> number", mathematics.shift(left=False)),
    ("optional.of(any) -> optional", lambda _, value: Optional(True, value)),
    ("optional.ofNonZeroValue(any) -> optional", _of_non_zero),
    ("optional.none() -> optional", lambda _: NOTHING),
    ("optional.hasValue() -> bool", lambda _, value: value.present),
    ("optional.value() -> any", _unwrap),
    ("optional.or(optional) -> optional", lambda _, first, second: first if first.present else second),
    ("optional.orValue(any) -> any", lambda _, first, other: first.value if first.present else other),
]

FUNCTIONS: Mapping[tuple[str, bool], Function] = MappingProxyType(_table())
"""By name and whether it is a method."""
