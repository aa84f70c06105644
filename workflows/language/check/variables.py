"""Names that an author gives to values (`as`, `index`, variables) can be used in expressions and hide nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workflows.language import nodes
from workflows.language.check.context import Context, Rule
from workflows.language.tree import Position, Table

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAKEN = frozenset({"input", "vars", "steps", "event", "error", "run", "now", "env", "uuid", "size", "has", "type"})
_CEL_WORDS = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_OWN = {"item": "item", "index": "index", "error": "error"}


def _check(context: Context) -> None:
    for text, meaning in _local_names(context):
        if text.value in _TAKEN - {meaning} or text.value in _CEL_WORDS:
            message = f"the name {text.value!r} is taken: it means something else in expressions"
            context.report.error(text.at, "bad-name", message, "choose another name")
    for table in _assigned(context):
        for entry in table.entries:
            if entry.key in _CEL_WORDS:
                message = f"the name {entry.key!r} is a word of the expression language"
                context.report.error(entry.at, "bad-name", message, "choose another name")
            else:
                _spelling(context, entry.key, entry.at)


def _spelling(context: Context, name: str, at: Position) -> None:
    if not _NAME.fullmatch(name):
        message = (
            f"{name!r} cannot be used in an expression: a name has letters, digits and underscores, no digit first"
        )
        better = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
        context.report.error(at, "bad-name", message, f"write {better!r}" if _NAME.fullmatch(better) else "")


def _local_names(context: Context) -> Iterator[tuple[nodes.Text, str]]:
    for step in context.steps:
        match step:
            case nodes.Foreach():
                yield from (
                    (text, own) for text, own in ((step.item, "item"), (step.index, "index")) if text is not None
                )
            case nodes.Repeat(index=nodes.Located() as index):
                yield index, "index"
            case nodes.Try():
                yield from ((catch.name, "error") for catch in step.catches if catch.name is not None)


def _assigned(context: Context) -> Iterator[Table]:
    for step in context.steps:
        if isinstance(step, nodes.Set):
            yield step.vars
        elif isinstance(step, nodes.Repeat) and step.carry is not None:
            yield step.carry


RULE = Rule(_check, {"bad-name": "A name cannot be used in expressions, or hides another one."})
