"""Steps that wait: approval, wait, receive."""

from __future__ import annotations

from workflows.language.nodes import Approval, Escalate, Located, Receive, Remind, Wait
from workflows.language.parse.fields import Fields
from workflows.language.parse.keys import ESCALATE, REMIND
from workflows.language.parse.reading import Reading
from workflows.language.tree import Scalar

MOST_VOTES = 1_000
MOST_MESSAGES = 10_000


def read_approval(reading: Reading) -> Approval:
    """Read an approval step."""
    fields = reading.fields
    return Approval(
        **reading.common,
        next=reading.single_next(),
        title=fields.tree("title"),
        show=fields.tree("show"),
        approvers=fields.tree("approvers"),
        quorum=fields.integer("quorum", 1, MOST_VOTES),
        reject_quorum=fields.integer("reject_quorum", 1, MOST_VOTES),
        form=fields.schema("form"),
        on_timeout=fields.text("on_timeout"),
        remind=_remind(fields),
        escalate=_escalate(fields),
        on_reject=fields.text("on_reject"),
    )


def read_wait(reading: Reading) -> Wait:
    """Read a wait step."""
    fields = reading.fields
    _exactly_one(fields, "for", "until")
    until = fields.tree("until") if fields.text("until") else None
    return Wait(
        **reading.common,
        next=reading.single_next(),
        duration=fields.tree("for"),
        until=until if isinstance(until, Scalar) else None,
    )


def read_receive(reading: Reading) -> Receive:
    """Read a receive step."""
    fields = reading.fields
    _exactly_one(fields, "event", "signal")
    return Receive(
        **reading.common,
        next=reading.single_next(),
        event=fields.text("event"),
        signal=fields.text("signal"),
        match=fields.condition("match"),
        count=fields.integer("count", 1, MOST_MESSAGES),
        on_timeout=fields.text("on_timeout"),
        correlate=fields.table_of("correlate"),
    )


def _exactly_one(fields: Fields, left: str, right: str) -> None:
    if fields.has(left) and fields.has(right):
        fields.error(fields.place(right), "conflicting-keys", f"{left!r} and {right!r} exclude each other")
    if not fields.has(left) and not fields.has(right):
        fields.missing(f"{left!r} or {right!r}")


def _remind(fields: Fields) -> Remind | None:
    table = fields.table_of("remind")
    if table is None:
        return None
    keys = Fields(table, "remind", REMIND, fields.diagnostics)
    keys.need("every")
    return Remind(table.at, keys.seconds("every") or Located(1.0, keys.at), keys.needed_text("emit"))


def _escalate(fields: Fields) -> Escalate | None:
    table = fields.table_of("escalate")
    if table is None:
        return None
    keys = Fields(table, "escalate", ESCALATE, fields.diagnostics)
    keys.need("after")
    keys.need("approvers")
    approvers = keys.tree("approvers") or Scalar(None, keys.at)
    return Escalate(table.at, keys.seconds("after") or Located(1.0, keys.at), approvers)
