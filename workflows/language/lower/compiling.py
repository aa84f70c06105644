"""Source expressions and templates, compiled for the names that are in scope where they stand."""

from __future__ import annotations

from workflows.language.expressions.cel import Expression, compile_expression
from workflows.language.expressions.model import ROOTS
from workflows.language.expressions.template import Template, compile_template
from workflows.language.nodes import Condition, Text
from workflows.language.tree import Tree, plain

Names = frozenset[str]
NO_NAMES: Names = frozenset()


def with_names(names: Names, *more: Text | str | None) -> Names:
    """Return `names` and what a block adds; the roots that every expression knows are not listed."""
    added = {name if isinstance(name, str) else name.value for name in more if name is not None}
    return (names | added) - ROOTS


def expression(condition: Condition, names: Names) -> Expression:
    """Compile a condition."""
    return compile_expression(condition.text, names)


def optional_expression(condition: Condition | None, names: Names) -> Expression | None:
    """Compile a condition that may be absent."""
    return None if condition is None else expression(condition, names)


def template(tree: Tree, names: Names) -> Template:
    """Compile a value whose strings may hold expressions."""
    return compile_template(plain(tree), names)


def optional_template(tree: Tree | None, names: Names) -> Template | None:
    """Compile a value that may be absent."""
    return None if tree is None else template(tree, names)
