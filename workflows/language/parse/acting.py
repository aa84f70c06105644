"""How an action is carried out: `retry`, time-outs, place and priority, and its `compensate`."""

from __future__ import annotations

from typing import Literal

from workflows.language.nodes import Acting, Compensation, Located, Retry, Saga, Seconds, Undo
from workflows.language.parse.fields import Fields
from workflows.language.parse.keys import COMPENSATE, RETRY, SAGA
from workflows.language.tree import Scalar, Table

MOST_ATTEMPTS = 1_000_000
MOST_FACTOR = 1_000.0


def retry_of(fields: Fields) -> Retry | None:
    """Read `retry`."""
    table = fields.table_of("retry")
    if table is None:
        return None
    keys = Fields(table, "retry", RETRY, fields.diagnostics)
    return Retry(
        at=table.at,
        attempts=keys.integer("attempts", 0, MOST_ATTEMPTS),
        backoff=keys.seconds_or_zero("backoff"),
        factor=keys.number("factor", 1.0, MOST_FACTOR),
        max_backoff=keys.seconds("max_backoff"),
        jitter=keys.number("jitter", 0.0, 1.0),
        on=keys.texts("on"),
        not_on=keys.texts("not_on"),
    )


def acting_of(fields: Fields, timeout: Seconds | None, *, with_priority: bool = True) -> Acting:
    """Read the keys of a step that acts; `with_priority` False where `priority` means something else."""
    return Acting(
        retry=retry_of(fields),
        timeout=timeout,
        attempt_timeout=fields.seconds("attempt_timeout"),
        heartbeat=fields.seconds("heartbeat"),
        run=fields.choice("run", ("local", "remote")),
        queue=fields.text("queue"),
        priority=fields.integer("priority", 1, 5) if with_priority else None,
    )


def undo_of(fields: Fields) -> Undo | None:
    """Read `compensate`: a step id or an action."""
    value = fields.tree("compensate")
    match value:
        case None:
            return None
        case Table():
            return _undo_action(value, fields)
        case Scalar(value=str()):
            return Undo(value.at, step=fields.text("compensate"))
    hint = "write the id of a step, or {action: ..., with: ...}"
    fields.error(value.at, "wrong-type", "'compensate' is to be a step id or an action", hint)
    return None


def compensation_of(fields: Fields) -> tuple[Compensation, ...]:
    """Read the top-level `compensation`: step id to the id of the step that undoes it."""
    table = fields.table_of("compensation")
    found = []
    for entry in table.entries if table else ():
        undo = fields.as_text("compensation", entry.value)
        if undo is not None:
            found.append(Compensation(Located(entry.key, entry.at), undo))
    return tuple(found)


def saga_of(fields: Fields) -> Saga | None:
    """Read the top-level `saga`."""
    table = fields.table_of("saga")
    if table is None:
        return None
    keys = Fields(table, "saga", SAGA, fields.diagnostics)
    return Saga(table.at, keys.choice("order", ("reverse", "parallel")), _occasions(keys), retry_of(keys))


def _occasions(keys: Fields) -> tuple[Located[Literal["failure", "cancel", "timeout"]], ...] | None:
    return keys.choices("on", ("failure", "cancel", "timeout")) if keys.has("on") else None


def _undo_action(table: Table, fields: Fields) -> Undo:
    keys = Fields(table, "compensate", COMPENSATE, fields.diagnostics)
    return Undo(
        table.at,
        action=keys.needed_text("action"),
        args=keys.tree("with"),
        acting=acting_of(keys, keys.seconds("timeout")),
    )
