"""Steps that do something outside the run: action, emit, workflow."""

from __future__ import annotations

from workflows.language.nodes import Action, Emit, Workflow
from workflows.language.parse.acting import acting_of, undo_of
from workflows.language.parse.fields import kind_of
from workflows.language.parse.reading import Reading
from workflows.language.tree import Scalar


def read_action(reading: Reading) -> Action:
    """Read an action step."""
    fields = reading.fields
    return Action(
        **reading.common,
        next=reading.single_next(),
        action=fields.needed_text("action"),
        args=fields.tree("with"),
        acting=acting_of(fields, reading.common["timeout"]),
        compensate=undo_of(fields),
    )


def read_emit(reading: Reading) -> Emit:
    """Read an emit step."""
    fields = reading.fields
    fields.need("event")
    return Emit(
        **reading.common,
        next=reading.single_next(),
        event=_text(reading, "event") or Scalar("", fields.place("event")),
        data=fields.tree("data"),
        version=_text(reading, "version"),
        event_priority=_scalar(reading, "priority"),
        key=fields.tree("key"),
        acting=acting_of(fields, reading.common["timeout"], with_priority=False),
        compensate=undo_of(fields),
    )


def read_workflow(reading: Reading) -> Workflow:
    """Read a workflow step."""
    fields = reading.fields
    return Workflow(
        **reading.common,
        next=reading.single_next(),
        workflow=fields.needed_text("workflow"),
        input=fields.tree("input"),
        wait=fields.flag("wait"),
        key=fields.tree("key"),
        compensate=undo_of(fields),
    )


def _text(reading: Reading, name: str) -> Scalar | None:
    value = reading.fields.tree(name) if reading.fields.text(name) else None
    return value if isinstance(value, Scalar) else None


def _scalar(reading: Reading, name: str) -> Scalar | None:
    fields = reading.fields
    value = fields.tree(name)
    if value is None or (isinstance(value, Scalar) and value.value is not None):
        return value
    fields.error(value.at, "wrong-type", f"{name!r} is to be a single value, not {kind_of(value)}")
    return None
