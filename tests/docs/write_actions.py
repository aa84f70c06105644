"""Writes docs/actions.md from the registry: `python -m tests.docs.write_actions`.

The page is kept in the repository, so that it can be read there and a change of an action shows in a review; a test
compares the two.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from activities.registry import catalog
from contracts.actions import ActionSpec
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "actions.md"

_WIDTH = 120
_ABOUT = re.compile(r"^What (?:`[^`]+`|the undoing actions) (?:takes?|gives?)[:;.,]? ?")
_HEAD = """# Actions

What `action:` may name. This page is written from the registry by `python -m tests.docs.write_actions`; `saga actions`
shows the same. An action that runs *local* is quick and idempotent and may be told `run: remote`; the others are
*remote*.

All are idempotent by the step's key (`<run>/<step path>`, the same at every attempt). The undoing ones need no
arguments in `compensate`: they find what to undo by the key of the step that they compensate. A failure is a
[problem document](errors.md#problem-types).
"""


def page() -> str:
    """Return the text of docs/actions.md."""
    return "\n".join([_HEAD, *_overview(), *(line for spec in catalog().values() for line in _action(spec))])


def _overview() -> Iterator[str]:
    yield "| action | runs | |"
    yield "|---|---|---|"
    for spec in catalog().values():
        yield f"| [{spec.name}](#{_anchor(spec.name)}) | {_runs(spec)} | {spec.summary} |"
    yield ""


def _anchor(name: str) -> str:
    return name.replace(".", "").lower()


def _runs(spec: ActionSpec) -> str:
    return "local" if spec.local else "remote"


def _action(spec: ActionSpec) -> Iterator[str]:
    yield f"## {spec.name}\n"
    yield from _paragraph(f"{spec.summary} Runs {_runs(spec)}; an attempt may take {spec.attempt_timeout:g} s.")
    yield from _table("with", spec.input_schema)
    yield from _table("output", spec.output_schema)


def _paragraph(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    yield ""


def _table(title: str, schema: Mapping[str, Any]) -> Iterator[str]:
    about = _ABOUT.sub("", " ".join(str(schema.get("description", "")).split()))
    if about:
        about = about[0].upper() + about[1:]
        yield from _paragraph(f"`{title}`: {about}")
    fields = schema.get("properties", {})
    required = schema.get("required", ()) if title == "with" else ()
    if fields:
        yield f"| {title} | type | {'default | |' if title == 'with' else '|'}"
        yield f"|---|---|---|{'---|' if title == 'with' else ''}"
    for name, detail in fields.items():
        default = f" {_default(detail, needed=name in required)} |" if title == "with" else ""
        yield f"| `{name}` | {_type(detail, schema)} |{default} {_described(detail)} |"
    yield ""


def _described(detail: Mapping[str, Any]) -> str:
    return " ".join(str(detail.get("description", "")).split()).replace("|", "\\|")


def _default(detail: Mapping[str, Any], *, needed: bool) -> str:
    if needed:
        return "required"
    value = detail.get("default")
    return "" if value in (None, "") else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(detail: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    reference = str(detail.get("$ref", ""))
    if reference:
        return _type(document["$defs"][reference.rpartition("/")[2]], document)
    if "anyOf" in detail:
        found = dict.fromkeys(_type(each, document) for each in detail["anyOf"])
        return " or ".join(each for each in found if each != "null")
    if "enum" in detail:
        return ", ".join(f"`{each}`" for each in detail["enum"])
    return _plain_type(detail, document)


def _plain_type(detail: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    kind = str(detail.get("type", "any"))
    if kind == "array":
        return f"list of {_type(detail.get('items', {}), document)}"
    fields = ", ".join(detail.get("properties", {}))
    return f"{kind} ({fields})" if fields else kind


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
