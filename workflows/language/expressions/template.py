"""Templates: JSON values whose strings may hold `${ CEL }`.

A string that is one `${ }` keeps the type of its value; a line break at its end does not count, so that YAML's block
scalars work. In a longer string each `${ }` is rendered: text as it is, numbers and booleans in JSON's spelling, lists
and objects as compact JSON, null as nothing. `$${` stands for `${`. Keys are never evaluated, nor is text from data.

The end of an expression is found by reading CEL's brackets and string literals, so that `${ {"a": "}"} }` is one.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from contracts.json import Json
from workflows.language.expressions.cel import Expression, compile_expression
from workflows.language.expressions.model import Bindings, ExpressionErrors, ExpressionFailure, Finding, Reference
from workflows.language.expressions.values import MAX_RESULT_BYTES

Evaluate: TypeAlias = Callable[[Bindings], Json]

_OPENING = re.compile(r"\$\$\{|\$\{")
_TOKEN = re.compile(
    r"""//[^\n]*\n
    | (?P<raw>\b[bB]?[rR][bB]?)?(?P<quote>\"\"\"|'''|"|')
    | (?P<open>[{\[(]) | (?P<close>[}\])])""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Placed:
    """An expression and where it stands.

    Attributes:
        expression: The expression.
        pointer: JSON pointer of its string within the template.
        offset: Where it starts in that string, in characters.
        alone: Whether it is the whole string, so that its value keeps its type.
    """

    expression: Expression
    pointer: str
    offset: int
    alone: bool


@dataclass(frozen=True)
class Template:
    """A compiled template; immutable, shared by threads, equal and pickled by its source.

    Attributes:
        value: The source.
        names: The names in scope beside the usual roots.
        placed: The expressions with their places, in the order of the source.
    """

    value: Json
    names: frozenset[str]
    placed: tuple[Placed, ...] = field(compare=False, repr=False)
    code: Evaluate = field(compare=False, repr=False)

    @property
    def is_constant(self) -> bool:
        """Whether it holds no expression."""
        return not self.placed

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions, in the order of the source."""
        return tuple(placed.expression for placed in self.placed)

    @property
    def references(self) -> tuple[Reference, ...]:
        """The places that it reads; an offset counts in the string that the expression stands in."""
        return tuple(
            replace(reference, offset=reference.offset + placed.offset)
            for placed in self.placed
            for reference in placed.expression.references
        )

    def evaluate(self, bindings: Bindings) -> Json:
        """Compute the value for a run's data; a new one each time, which the caller may change.

        Raises:
            ExpressionFailure: An expression has no value, or a rendered string is larger than 2 MiB.
        """
        return self.code(bindings)

    def __hash__(self) -> int:
        """By the spelling of the source, which may be a list or a dictionary."""
        return hash((json.dumps(self.value, sort_keys=True), self.names))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by source."""
        return compile_template, (self.value, self.names)


def compile_template(value: Json, names: frozenset[str] = frozenset()) -> Template:
    """Compile a value and all strings within it.

    Raises:
        ExpressionErrors: Findings of all strings, each with the JSON pointer of its string and the offset in it.
    """
    compiler = _Compiler(names)
    code = compiler.compile(value, "")
    if compiler.findings:
        raise ExpressionErrors(compiler.findings)
    return Template(value, names, tuple(compiler.placed), code)


class _Compiler:
    """Collects expressions and findings over one value."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self.placed: list[Placed] = []
        self.findings: list[Finding] = []

    def compile(self, value: Json, pointer: str) -> Evaluate:
        match value:
            case str():
                return self._string(value, pointer)
            case list():
                items = [self.compile(item, f"{pointer}/{at}") for at, item in enumerate(value)]
                return lambda bindings: [item(bindings) for item in items]
            case dict():
                return self._object(value, pointer)
        return lambda _: value

    def _object(self, value: dict[str, Json], pointer: str) -> Evaluate:
        fields = {}
        for key, item in value.items():
            inner = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            if "${" in key:
                message = "a key is not evaluated: only values may hold ${ }"
                self.findings.append(Finding(key.index("${"), 2, message, None, inner))
            fields[key] = self.compile(item, inner)
        return lambda bindings: {key: item(bindings) for key, item in fields.items()}

    def _string(self, text: str, pointer: str) -> Evaluate:
        try:
            pieces = list(scan(text))
        except ExpressionErrors as errors:
            self.findings.extend(replace(finding, pointer=pointer) for finding in errors.findings)
            return lambda _: text
        alone = isinstance(pieces[0], tuple) and not "".join(map(str, pieces[1:])).strip("\r\n") if pieces else False
        parts = [piece if isinstance(piece, str) else self._place(*piece, pointer, alone) for piece in pieces]
        if alone and isinstance(parts[0], Expression):
            return parts[0].evaluate
        if any(isinstance(part, Expression) for part in parts):
            return _rendering(text, parts)
        constant = "".join(part for part in parts if isinstance(part, str))
        return lambda _: constant

    def _place(self, offset: int, source: str, pointer: str, alone: bool) -> Expression | str:
        start = offset + len(source) - len(source.lstrip())
        try:
            expression = compile_expression(source.strip(), self._names)
        except ExpressionErrors as errors:
            moved = (replace(found, offset=found.offset + start, pointer=pointer) for found in errors.findings)
            self.findings.extend(moved)
            return ""
        self.placed.append(Placed(expression, pointer, start, alone))
        return expression


def _rendering(text: str, parts: Iterable[Expression | str]) -> Evaluate:
    pieces = tuple(parts)

    def render(bindings: Bindings) -> Json:
        rendered = "".join(
            piece if isinstance(piece, str) else rendering_of(piece.evaluate(bindings)) for piece in pieces
        )
        if len(rendered) > MAX_RESULT_BYTES:
            raise ExpressionFailure(text[:200], f"the rendered text is larger than {MAX_RESULT_BYTES >> 20} MiB")
        return rendered

    return render


def rendering_of(value: Json) -> str:
    """Spell a value inside a text."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def scan(text: str) -> Iterator[str | tuple[int, str]]:
    """Split a string into literal text and expressions, each with the offset of its first character.

    Raises:
        ExpressionErrors: An expression is not closed.
    """
    at = 0
    while found := _OPENING.search(text, at):
        if at < found.start():
            yield text[at : found.start()]
        at = found.end()
        if found.group() == "$${":
            yield "${"
            continue
        end = _end_of_expression(text, at)
        if end is None:
            message = "this `${` is never closed"
            raise ExpressionErrors(
                [Finding(found.start(), 2, message, "close it with `}`, or write `$${` for the text")]
            )
        yield at, text[at:end]
        at = end + 1
    if at < len(text):
        yield text[at:]


def _end_of_expression(text: str, start: int) -> int | None:
    depth, at = 0, start
    while found := _TOKEN.search(text, at):
        at = found.end()
        if found["quote"]:
            at = _end_of_literal(text, at, found["quote"], raw=bool(found["raw"]))
        elif found["open"]:
            depth += 1
        elif found["close"] == "}" and depth == 0:
            return found.start()
        elif found["close"]:
            depth = max(depth - 1, 0)
    return None


def _end_of_literal(text: str, at: int, quote: str, *, raw: bool) -> int:
    """Find the end of a string literal; one that is not closed ends with the text, and the parser complains of it."""
    while (end := text.find(quote, at)) >= 0:
        escape = -1 if raw else text.find("\\", at, end)
        if escape < 0:
            return end + len(quote)
        at = escape + 2
    return len(text)
