"""Expressions of a source: they see the `headers` and the `body` of a delivery, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.json import Json
from workflows.language.diagnostics import did_you_mean
from workflows.language.expressions.model import ExpressionErrors
from workflows.language.expressions.template import Template, compile_template
from workflows.language.parse.fields import Fields
from workflows.language.tree import Items, Key, Position, Scalar, Tree, find, plain

_NAMES: Final = frozenset({"headers", "body"})


@dataclass(frozen=True, slots=True)
class Bindings:
    """What the expressions see of one delivery.

    Attributes:
        headers: By name in small letters.
        body: The parsed body.
        event_id: Id of the event, which stands in where a unique id is asked for.
    """

    headers: Json
    body: Json
    event_id: str

    def root(self, name: str) -> object:
        """Give `headers` or `body`."""
        return {"headers": self.headers, "body": self.body}[name]

    def step(self, name: str) -> object:
        """Refuse: there are no steps."""
        raise KeyError(name)

    def uuid(self) -> str:
        """Give the event's id."""
        return self.event_id


def compile_value(fields: Fields, name: str) -> Template | None:
    """Return the template under a key; None where it was not given or has mistakes, which are noted."""
    tree = fields.tree(name)
    if tree is None:
        return None
    try:
        template = compile_template(plain(tree), _NAMES)
    except ExpressionErrors as errors:
        for found in errors.findings:
            at = _place(tree, found.pointer, found.offset, found.length)
            fields.error(at, "bad-expression", found.message, found.hint or "")
        return None
    return template if _sees_only_the_delivery(template, tree, fields) else None


def _sees_only_the_delivery(template: Template, tree: Tree, fields: Fields) -> bool:
    strangers = [
        (placed, reference)
        for placed in template.placed
        for reference in placed.expression.references
        if reference.root not in _NAMES
    ]
    for placed, reference in strangers:
        at = _place(tree, placed.pointer, placed.offset + reference.offset, len(reference.root))
        hint = did_you_mean(reference.root, _NAMES)
        fields.error(at, "bad-expression", f"there is no `{reference.root}` here", hint)
    return not strangers


def _place(tree: Tree, pointer: str, offset: int, length: int) -> Position:
    found = find(tree, _path(tree, pointer.split("/")[1:]))
    return found.within(offset, length) if isinstance(found, Scalar) else found.at


def _path(tree: Tree, tokens: Sequence[str]) -> list[Key]:
    path: list[Key] = []
    for token in tokens:
        inside_list = isinstance(find(tree, path), Items)
        path.append(int(token) if inside_list else token.replace("~1", "/").replace("~0", "~"))
    return path
