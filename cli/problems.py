"""A failed run's problem document, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from cli.output import clean, coloured


def problem_lines(problem: Mapping[str, Any], step: str | None = None) -> Iterator[str]:
    """Yield the lines that say what went wrong, where, what was undone, and what was not.

    Args:
        problem: The problem document.
        step: Path of the step that failed, where it is known: it says more than the document's JSON pointer.
    """
    yield f"{click.style(clean(str(problem.get('title', ''))), bold=True)} ({clean(str(problem.get('type', '')))})"
    if detail := problem.get("detail"):
        yield f"  {clean(str(detail))}"
    if place := step or problem.get("instance"):
        yield f"  {'in step' if step else 'at'} {clean(str(place))}"
    for path in problem.get("undone", ()):
        yield f"  {coloured('undone')}      {clean(str(path))}"
    for item in problem.get("left", ()):
        yield f"  {coloured('not undone')}  {clean(_left(item))}"


def _left(item: Mapping[str, Any]) -> str:
    reason = item.get("problem") or {}
    return f"{item.get('step', '')}: {reason.get('detail') or reason.get('title') or ''}"
