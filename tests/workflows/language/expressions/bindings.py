"""Bindings over plain dictionaries, and short ways to evaluate with them."""

from collections.abc import Mapping
from datetime import UTC, datetime

from contracts.json import Json
from workflows.language.expressions.cel import compile_expression

NOW = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class DictBindings:
    """Roots and steps from dictionaries; UUIDs are counted, so that their order shows."""

    def __init__(self, roots: Mapping[str, object] | None = None, steps: Mapping[str, object] | None = None) -> None:
        """Keep the values; `now` is fixed."""
        self._roots = {"now": NOW, **(roots or {})}
        self._steps = steps or {}
        self._uuids = 0

    def root(self, name: str) -> object:
        """Look a root up."""
        return self._roots[name]

    def step(self, name: str) -> object:
        """Look a step up."""
        return self._steps[name]

    def uuid(self) -> str:
        """Count."""
        self._uuids += 1
        return f"uuid-{self._uuids}"


def evaluate(text: str, **roots: object) -> Json:
    """Evaluate an expression that sees these roots."""
    return compile_expression(text, frozenset(roots)).evaluate(DictBindings(roots))
