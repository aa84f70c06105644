"""Compiles the expressions of a definition, once for all rules.

Compilation costs more than all that the rules do afterwards. A place whose expression cannot be compiled keeps the
findings instead of a subject; rules that need the subject pass it over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from workflows.language import nodes
from workflows.language.check.places import Names, Place
from workflows.language.expressions.cel import Expression, compile_expression
from workflows.language.expressions.model import ROOTS, ExpressionErrors, Finding
from workflows.language.expressions.template import Template, compile_template
from workflows.language.tree import Tree, plain


@dataclass(frozen=True)
class Compiled:
    """A place with its expression, or with what is wrong in it."""

    place: Place
    subject: Expression | Template | None
    findings: tuple[Finding, ...] = ()


def compiled(places: Iterator[Place]) -> Iterator[Compiled]:
    """Yield each place compiled."""
    for place in places:
        try:
            yield Compiled(place, _subject(place))
        except ExpressionErrors as errors:
            yield Compiled(place, None, errors.findings)


def template_of(tree: Tree, names: Names) -> Template | None:
    """Return a compiled value, or None where it has mistakes."""
    try:
        return compile_template(plain(tree), extra_names(names))
    except ExpressionErrors:
        return None


def extra_names(names: Names) -> frozenset[str]:
    """Return the local names that the compiler does not know by itself."""
    return frozenset(name for name, _, _ in names) - ROOTS


def _subject(place: Place) -> Expression | Template:
    names = extra_names(place.names)
    if isinstance(place.subject, nodes.Condition):
        return compile_expression(place.subject.text, names)
    if place.what == "until":
        return _moment(place.subject, names)
    return compile_template(plain(place.subject), names)


def _moment(tree: Tree, names: frozenset[str]) -> Expression | Template:
    """`until` of a wait step: a template, a moment, or bare CEL."""
    text = str(plain(tree))
    moment = _fixed_moment(text)
    if moment is not None and moment.tzinfo is None:
        raise ExpressionErrors(
            [Finding(0, len(text), f"{text!r} does not say in which time zone", f"{moment.isoformat()}Z")]
        )
    if "${" in text or moment is not None:
        return compile_template(text, names)
    return compile_expression(text, names)


def _fixed_moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
