"""Text to syntax tree, by Google's CEL parser.

The library is asked to parse only. Its serialised result is the public message `cel.expr.ParsedExpr`; the fields that
are read are declared here, with every nested expression as bytes, so that each level is decoded on its own and no limit
on nested messages applies. The library's limits (32 levels) and ours (10,000 characters) bound the tree.

Its checker and its evaluator are not used: the checker refuses a whole and a fractional number in one sum; the
evaluator converts all data eagerly, iterates maps in an order that differs in each process, and can be kept busy for
minutes by an equality of shared lists. See `evaluate` and `inference`.
"""

import re
from functools import cache
from typing import Any, NamedTuple

from cel_expr_python import cel  # type: ignore[import-untyped]  # its stubs come without a py.typed marker
from cel_expr_python.ext import (  # type: ignore[import-untyped]  # the same
    ext_bindings,
    ext_math,
    ext_optional,
    ext_strings,
)
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

from workflows.language.expressions.model import ExpressionErrors, Finding
from workflows.language.expressions.nodes import Call, Const, Index, Let, ListOf, Loop, MapOf, Name, Node, Select

MAX_CHARACTERS = 10_000
NAMESPACES = frozenset({"math", "strings", "optional"})
_RESULT = "@result"
_RENAMED = {"math.@max": "math.greatest", "math.@min": "math.least"}
_COMPLAINT = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")

_Field = descriptor_pb2.FieldDescriptorProto
_MESSAGES = {
    "Parsed": "2 expr BYTES, 3 source .Source",
    "Source": "4 positions .Position*",
    "Position": "1 id INT64, 2 offset INT32",
    "Expr": "2 id INT64, 3 const .Const?, 4 ident BYTES?, 5 select .Select?, 6 call .Call?, 7 list .List?, "
    "8 struct .Struct?, 9 fold .Fold?",
    "Const": "2 boolean BOOL?, 3 whole INT64?, 4 unsigned UINT64?, 5 double DOUBLE?, 6 text STRING?, 7 octets BYTES?",
    "Ident": "1 name STRING",
    "Select": "1 operand BYTES, 2 field STRING, 3 test BOOL",
    "Call": "1 target BYTES?, 2 function STRING, 3 arguments BYTES*",
    "List": "1 elements BYTES*, 2 optional INT32*",
    "Entry": "3 key BYTES, 4 value BYTES, 5 optional BOOL, 2 field STRING",
    "Struct": "1 message STRING, 2 entries .Entry*",
    "Fold": "1 variable STRING, 2 range BYTES, 3 accumulator STRING, 4 initial BYTES, 5 condition BYTES, 6 step BYTES, "
    "7 result BYTES",
}


def _declare(file: descriptor_pb2.FileDescriptorProto, name: str, fields: str) -> None:
    message = file.message_type.add(name=name)
    for number, label, spelling in (field.split() for field in fields.split(", ")):
        kind, repeated, optional = spelling.rstrip("*?"), spelling.endswith("*"), spelling.endswith("?")
        field = message.field.add(name=label, number=int(number), label=3 if repeated else 1)
        if kind.startswith("."):
            field.type, field.type_name = _Field.TYPE_MESSAGE, f".tree{kind}"
        else:
            field.type = _Field.Type.Value(f"TYPE_{kind}")
        if optional and not kind.startswith("."):
            field.proto3_optional = True
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{label}")


class _Library(NamedTuple):
    environment: cel.Env
    parsed: Any  # classes that protobuf makes at run time have no static type
    expr: Any
    ident: Any


@cache
def _library() -> _Library:
    file = descriptor_pb2.FileDescriptorProto(name="tree.proto", package="tree", syntax="proto3")
    for name, fields in _MESSAGES.items():
        _declare(file, name, fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    parsed, expr, ident = (
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tree.{name}"))
        for name in ("Parsed", "Expr", "Ident")
    )
    extensions = [ext_bindings.ExtBindings(), ext_math.ExtMath(), ext_optional.ExtOptional(), ext_strings.ExtStrings()]
    return _Library(cel.NewEnv(extensions=extensions), parsed, expr, ident)


def parse(text: str) -> Node:
    """Parse bare CEL.

    Raises:
        ExpressionErrors: It is empty, too long, nested too deeply or not CEL; with the place of each mistake.
    """
    if not text.strip():
        raise ExpressionErrors([Finding(0, max(len(text), 1), "the expression is empty")])
    if len(text) > MAX_CHARACTERS:
        message = f"an expression may have {MAX_CHARACTERS:,} characters, this one has {len(text):,}"
        raise ExpressionErrors([Finding(0, 1, message, "compute parts of it in a `set` step")])
    library = _library()
    try:
        serialized = library.environment.compile(text.encode(), disable_check=True).serialize()
    except UnicodeEncodeError as error:
        raise ExpressionErrors([Finding(error.start, 1, "this character is not valid Unicode")]) from None
    except RuntimeError as error:
        raise ExpressionErrors(_complaints(text, str(error))) from None
    parsed = library.parsed.FromString(any_pb2.Any.FromString(serialized).value)
    offsets = {position.id: position.offset for position in parsed.source.positions}
    return _Reader(text, offsets, library).read(parsed.expr)


def _complaints(text: str, report: str) -> list[Finding]:
    if "recursion" in report:
        return [Finding(0, len(text), "the expression is nested too deeply", "compute parts of it in a `set` step")]
    lines = text.splitlines(keepends=True)
    found = []
    for line, column, message in _COMPLAINT.findall(report):
        offset = sum(map(len, lines[: int(line) - 1])) + int(column) - 1 if int(line) <= len(lines) + 1 else len(text)
        found.append(_plain_words(text, min(offset, len(text)), message))
    # A parser that has lost its way complains again at each token: only the first complaint is about the mistake.
    return found[:1] or [Finding(0, len(text), report.removeprefix("INVALID_ARGUMENT: ").splitlines()[0])]


def _plain_words(text: str, offset: int, message: str) -> Finding:
    rest = text[offset:]
    found = re.match(r"\w+|\S", rest)
    token = found.group() if found else ""
    length = max(len(token), 1)
    if not token:
        return Finding(offset, 1, "the expression ends too early", _expected(message))
    if token in {"'", '"'}:
        return Finding(offset, len(rest), "this text literal is not closed, or holds an unknown escape")
    if token in _SPELLINGS and "yntax error" in message:
        return Finding(offset, length, f"`{token}` is not an operator here", f"write `{_SPELLINGS[token]}`")
    if "yntax error" in message:
        return Finding(offset, length, f"`{token}` is not expected here", _expected(message))
    return Finding(offset, length, message)


_SPELLINGS = {"and": "&&", "or": "||", "=": "==", "&": "&&", "|": "||"}


def _expected(message: str) -> str | None:
    found = re.search(r"expecting ('.{1,3}')$", message)
    return f"expected {found.group(1)}" if found else None


class _Reader:
    """Turns one serialised tree into nodes."""

    def __init__(self, text: str, offsets: dict[int, int], library: _Library) -> None:
        self._text = text
        self._offsets = offsets
        self._library = library

    def read(self, encoded: bytes) -> Node:
        """Decode one expression; those within it are decoded one by one."""
        message = self._library.expr.FromString(encoded)
        offset = self._offsets.get(message.id, 0)
        if message.HasField("ident"):
            return Name(self._library.ident.FromString(message.ident).name, offset)
        if message.HasField("select"):
            return self._select(message.select, offset)
        if message.HasField("call"):
            return self._call(message.call, offset)
        if message.HasField("const"):
            return _constant(message.const, offset)
        if message.HasField("list"):
            return self._list(message.list, offset)
        if message.HasField("struct"):
            return self._map(message.struct, offset)
        return self._fold(message.fold, offset)

    def _select(self, message: Any, offset: int) -> Node:
        operand, field = self.read(message.operand), message.field
        if message.test:
            return Select(operand, field, "test", self._field_offset(operand.offset + 1, field))
        return Select(operand, field, "plain", self._field_offset(offset, field))

    def _field_offset(self, offset: int, field: str) -> int:
        """The parser points at the dot (or, for `has`, at the bracket): the name stands after it."""
        found = self._text.find(field, offset)
        return found if found >= 0 else offset

    def _call(self, message: Any, offset: int) -> Node:
        function = _RENAMED.get(message.function, message.function)
        arguments = tuple(map(self.read, message.arguments))
        if message.HasField("target"):
            target = self.read(message.target)
            if isinstance(target, Name) and target.name in NAMESPACES:
                return Call(f"{target.name}.{function}", False, arguments, target.offset)
            return Call(function, True, (target, *arguments), self._function_offset(offset, function))
        if function in {"_[_]", "_[?_]", "_?._"}:
            return self._index(function, arguments[0], arguments[1], offset)
        return Call(function, False, arguments, self._function_offset(offset, function))

    def _function_offset(self, offset: int, function: str) -> int:
        """The parser points at the bracket of a call; its name stands before it."""
        if not function[0].isalpha():
            return offset
        found = self._text.rfind(function.rpartition(".")[2], 0, offset)
        return found if found >= 0 else offset

    def _index(self, function: str, operand: Node, key: Node, offset: int) -> Node:
        optional = function != "_[_]"
        if isinstance(key, Const) and isinstance(key.value, str):
            name_at = self._field_offset(offset, key.value)
            return Select(operand, key.value, "optional" if optional else "plain", name_at)
        return Index(operand, key, optional, offset)

    def _list(self, message: Any, offset: int) -> Node:
        optional = set(message.optional)
        return ListOf(tuple((self.read(item), at in optional) for at, item in enumerate(message.elements)), offset)

    def _map(self, message: Any, offset: int) -> Node:
        if message.message:
            name = message.message
            complaint = f"there is no message type `{name}`"
            at = max(self._text.find(name), 0)
            raise ExpressionErrors([Finding(at, len(name), complaint, "write a map: {'key': value}")])
        read = self.read
        return MapOf(tuple((read(entry.key), read(entry.value), entry.optional) for entry in message.entries), offset)

    def _fold(self, fold: Any, offset: int) -> Node:
        """Recognise which macro the parser has expanded."""
        step, result = self.read(fold.step), self.read(fold.result)
        if fold.accumulator != _RESULT:
            return Let(fold.accumulator, self.read(fold.initial), result, offset)
        source = self.read(fold.range)
        match step:
            case Call(function="_&&_", arguments=(_, condition)):
                return Loop("all", source, fold.variable, condition, None, offset)
            case Call(function="_||_", arguments=(_, condition)):
                return Loop("exists", source, fold.variable, condition, None, offset)
            case Call(function="_?_:_", arguments=(condition, Call(arguments=(_, ListOf(items=((item, _),)))), _)):
                plain = isinstance(item, Name) and item.name == fold.variable
                return Loop("map", source, fold.variable, condition, None if plain else item, offset)
            case Call(function="_?_:_", arguments=(condition, *_)):
                return Loop("exists_one", source, fold.variable, condition, None, offset)
            case Call(function="_+_", arguments=(_, ListOf(items=((item, _),)))):
                return Loop("map", source, fold.variable, None, item, offset)
        raise ExpressionErrors([Finding(offset, 1, "this macro is not supported")])


def _constant(message: Any, offset: int) -> Const:
    for field in ("text", "whole", "boolean", "double", "octets", "unsigned"):
        if message.HasField(field):
            return Const(getattr(message, field), offset)
    return Const(None, offset)
