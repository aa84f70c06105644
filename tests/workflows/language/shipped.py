"""The definitions that ship, compiled without the code of their actions."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable

from contracts.actions import ActionSpec
from workflows.language import nodes
from workflows.language.check.ways import undo_of
from workflows.language.compiler import compile_sources
from workflows.language.parse.definition import parse
from workflows.language.plan import Plan
from workflows.language.source import read_source


def shipped_texts() -> dict[str, str]:
    """Return the text of each workflow definition that ships, by file name."""
    files = _files(resources.files("definitions"), "")
    return {name: text for name, text in files if "steps" in text and "/" in name}


def plans_of(texts: Mapping[str, str]) -> list[Plan]:
    """Return the plans of definitions; every action that they name is taken to be registered."""
    compilation = compile_sources(texts, {name: ActionSpec(name) for text in texts.values() for name in _actions(text)})
    assert compilation.library is not None, compilation.diagnostics
    return [definition.plan for definition in compilation.library.all()]


def _files(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    found = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found += _files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith((".yaml", ".json")):
            found.append((f"{prefix}{entry.name}", entry.read_text(encoding="utf-8")))
    return found


def _actions(text: str) -> set[str]:
    definition, _ = parse(read_source("", text))
    steps = list(nodes.walk(definition.steps)) if definition is not None else []
    undos = [undo_of(step) for step in steps]
    named = {step.action.value for step in steps if isinstance(step, nodes.Action)}
    return named | {undo.action.value for undo in undos if undo is not None and undo.action is not None}
