"""Steps that choose or split the way: decision, parallel."""

from __future__ import annotations

from typing import Literal

from workflows.language.nodes import AnyStep, Branch, Case, Decision, Located, Parallel, Text, Way
from workflows.language.parse.fields import Fields, kind_of
from workflows.language.parse.keys import CASE, WAY
from workflows.language.parse.reading import Reading
from workflows.language.tree import Entry, Items, Scalar, Table

MOST_BRANCHES = 1_000
_TWO_WAYS = 2


def read_decision(reading: Reading) -> Decision:
    """Read a decision: by `condition` or by `cases`."""
    fields = reading.fields
    if fields.has("condition"):
        return _by_condition(reading)
    fields.need("cases", "or 'condition' with next: [then, else]")
    return Decision(
        **reading.common,
        next=reading.single_next(),
        cases=_cases(reading),
        otherwise=_otherwise(reading),
    )


def read_parallel(reading: Reading) -> Parallel:
    """Read a parallel step: branches by `next` or by `branches`."""
    fields = reading.fields
    inline = fields.has("branches")
    return Parallel(
        **reading.common,
        next=reading.single_next() if inline else (),
        branches=_inline_branches(reading) if inline else _named_branches(reading),
        join=_join(reading, inline),
        wait=_wait(fields),
        on_branch_error=fields.choice("on_branch_error", ("cancel", "finish")),
    )


def _by_condition(reading: Reading) -> Decision:
    fields = reading.fields
    for key in ("cases", "else"):
        if fields.has(key):
            fields.error(fields.place(key), "conflicting-keys", f"'condition' and {key!r} exclude each other")
    ways = [Way(target.at, next=target) for target in reading.next]
    if not 1 <= len(ways) <= _TWO_WAYS:
        message = f"'condition' wants next: [then, else], not {len(ways)} steps"
        fields.error(fields.place("next"), "decision-next", message, "take 'cases' where there are more ways")
    then = ways[0] if ways else Way(fields.at)
    otherwise = ways[1] if len(ways) >= _TWO_WAYS else None
    case = Case(fields.needed_condition("condition"), then)
    return Decision(**reading.common, cases=(case,), otherwise=otherwise, by_condition=True)


def _cases(reading: Reading) -> tuple[Case, ...]:
    found = []
    for number, item in enumerate(reading.fields.items_of("cases")):
        if not isinstance(item, Table):
            reading.fields.error(item.at, "wrong-type", f"a case is a mapping, not {kind_of(item)}")
            continue
        keys = Fields(item, "a case", CASE, reading.fields.diagnostics)
        found.append(Case(keys.needed_condition("when"), _way(reading, keys, "cases", number)))
    if reading.fields.has("cases") and not found:
        reading.fields.error(reading.fields.place("cases"), "empty", "'cases' needs at least one case")
    return tuple(found)


def _otherwise(reading: Reading) -> Way | None:
    value = reading.fields.tree("else")
    match value:
        case None:
            return None
        case Items():
            return Way(value.at, steps=reading.inside(value, "else"))
        case Table():
            keys = Fields(value, "else", WAY, reading.fields.diagnostics)
            return _way(reading, keys, "else")
    return Way(value.at, next=reading.fields.text("else"))


def _way(reading: Reading, keys: Fields, *path: str | int) -> Way:
    if keys.has("next") and keys.has("steps"):
        keys.error(keys.place("steps"), "conflicting-keys", "'next' and 'steps' exclude each other")
    steps = keys.tree("steps")
    inside = () if steps is None else reading.inside(steps, *path, "steps")
    return Way(keys.at, next=keys.text("next"), steps=inside)


def _named_branches(reading: Reading) -> tuple[Branch, ...]:
    if not reading.next:
        reading.fields.missing("'branches', or next: [a, b]")
    return tuple(Branch(target, next=target) for target in reading.next)


def _inline_branches(reading: Reading) -> tuple[Branch, ...]:
    table = reading.fields.table_of("branches")
    if table is not None and not table.entries:
        reading.fields.error(table.at, "empty", "'branches' needs at least one branch")
    return tuple(_branch(reading, entry) for entry in (table.entries if table else ()))


def _branch(reading: Reading, entry: Entry) -> Branch:
    steps: tuple[AnyStep, ...] = reading.inside(entry.value, "branches", entry.key)
    return Branch(Located(entry.key, entry.at), steps=steps)


def _join(reading: Reading, inline: bool) -> Text | None:
    fields = reading.fields
    if inline and fields.has("join"):
        hint = "write 'next': branches written as 'branches' always meet at their end"
        fields.error(fields.place("join"), "conflicting-keys", "'branches' and 'join' exclude each other", hint)
    return fields.text("join")


def _wait(fields: Fields) -> Located[Literal["all", "any"] | int] | None:
    value = fields.tree("wait")
    match value:
        case None:
            return None
        case Scalar(value="all"):
            return Located("all", value.at)
        case Scalar(value="any"):
            return Located("any", value.at)
        case Scalar(value=int() as count) if not isinstance(count, bool):
            return fields.integer("wait", 1, MOST_BRANCHES)
    fields.error(value.at, "bad-value", "'wait' is to be all, any, or a number of branches")
    return None
