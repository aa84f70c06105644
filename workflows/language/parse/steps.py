"""Lists of steps: what type a step is of, the keys that every step has, and the parser of its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from workflows.language.diagnostics import Diagnostics, did_you_mean
from workflows.language.nodes import AnyStep, Set
from workflows.language.parse.choices import read_decision, read_parallel
from workflows.language.parse.deeds import read_action, read_emit, read_workflow
from workflows.language.parse.fields import Fields, kind_of, snake_case
from workflows.language.parse.handlers import handlers_of
from workflows.language.parse.keys import STEPS, TELLING
from workflows.language.parse.loops import read_foreach, read_repeat
from workflows.language.parse.reading import Common, Reading
from workflows.language.parse.state import read_end, read_fail, read_set, read_try
from workflows.language.parse.waiting import read_approval, read_receive, read_wait
from workflows.language.tree import Items, Scalar, Table, Tree

PARSERS: Mapping[str, Callable[[Reading], AnyStep]] = {
    "action": read_action,
    "decision": read_decision,
    "parallel": read_parallel,
    "foreach": read_foreach,
    "repeat": read_repeat,
    "approval": read_approval,
    "wait": read_wait,
    "receive": read_receive,
    "emit": read_emit,
    "workflow": read_workflow,
    "set": read_set,
    "try": read_try,
    "fail": read_fail,
    "end": read_end,
}

RESERVED = frozenset({"continue", "reject", "approve", "fail"})
"""Words that `on_error` and `on_timeout` understand, which therefore cannot be step ids."""

_ANY_KEY = tuple(dict.fromkeys(key for names in STEPS.values() for key in names))


def read_steps(value: Tree, pointer: str, diagnostics: Diagnostics) -> tuple[AnyStep, ...]:
    """Return the steps of the list `value`; a step whose type is not clear is represented by one that does nothing."""
    if not isinstance(value, Items):
        diagnostics.error(value.at, "wrong-type", f"steps are a list, not {kind_of(value)}", "begin each with '- id: '")
        return ()
    if not value.items:
        diagnostics.error(value.at, "empty", "a list of steps needs at least one step")
    steps = []
    for number, item in enumerate(value.items):
        if isinstance(item, Table):
            steps.append(_read_step(item, f"{pointer}/{number}", diagnostics))
        else:
            diagnostics.error(item.at, "wrong-type", f"a step is a mapping, not {kind_of(item)}")
    return tuple(steps)


def _read_step(table: Table, pointer: str, diagnostics: Diagnostics) -> AnyStep:
    kind = _type_of(table, diagnostics)
    names = _ANY_KEY if kind is None else STEPS[kind]
    fields = Fields(table, f"{_article(kind or 'step')} step" if kind else "a step", names, diagnostics)
    common = _common(fields, table, pointer)
    reading = Reading(fields, common, fields.texts("next"), lambda value, at: read_steps(value, at, diagnostics))
    if kind is None:
        return Set(**common, next=reading.next[:1], vars=Table((), table.at))
    return PARSERS[kind](reading)


def _common(fields: Fields, table: Table, pointer: str) -> Common:
    identity = fields.identity()
    if identity.value in RESERVED:
        message = f"a step cannot be called {identity.value!r}, which has a meaning of its own"
        fields.error(identity.at, "bad-id", message)
    return Common(
        id=identity,
        at=table.at,
        pointer=pointer,
        tree=table,
        name=fields.text("name"),
        condition=fields.condition("if"),
        handlers=handlers_of(fields),
        timeout=fields.seconds("timeout"),
    )


def _type_of(table: Table, diagnostics: Diagnostics) -> str | None:
    entry = table.get("type")
    if entry is None:
        return _told_by_keys(table, diagnostics)
    value = entry.value.value if isinstance(entry.value, Scalar) else None
    if isinstance(value, str) and value in PARSERS:
        return value
    hint = did_you_mean(value, PARSERS) if isinstance(value, str) else f"there are: {', '.join(PARSERS)}"
    diagnostics.error(entry.value.at, "unknown-type", "there is no such type of step", hint)
    return None


def _told_by_keys(table: Table, diagnostics: Diagnostics) -> str | None:
    present = {snake_case(entry.key) for entry in table.entries}
    for kind, telling in TELLING:
        if (telling <= present) if "event" in telling else (telling & present):
            return kind
    hint = "write 'type: receive' or 'type: emit'" if "event" in present else f"write 'type': {', '.join(PARSERS)}"
    diagnostics.error(table.at, "unknown-type", "the keys do not tell what type of step this is", hint)
    return None


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
