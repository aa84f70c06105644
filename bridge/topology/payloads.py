"""`plain` in the operator's file: whose messages may be JSON payloads without an envelope."""

from __future__ import annotations

from typing import Final, Literal

from bridge.topology.model import Declarations, PlainRule
from bridge.topology.names import EVENTS
from workflows.language.diagnostics import did_you_mean
from workflows.language.parse.fields import Fields, tables

IDS: Final[tuple[Literal["message", "content"], ...]] = ("message", "content")
_KEYS = ("key", "exchange", "id")


def plain_rules(fields: Fields, own: Declarations) -> tuple[PlainRule, ...]:
    """Read `plain` of a topology; notes what is wrong.

    Args:
        fields: The topology.
        own: What the file declares, which rules may name.
    """
    rows = tables(fields.items_of("plain"), "a rule of 'plain'", _KEYS, fields.diagnostics)
    return tuple(_rule(row, own) for row in rows)


def _rule(row: Fields, own: Declarations) -> PlainRule:
    row.need("key", "a topic pattern of routing keys, such as order.*; # for all")
    key, chosen = row.text("key"), row.choice("id", IDS)
    return PlainRule(key.value if key else "", _exchange(row, own), chosen.value if chosen else "message")


def _exchange(row: Fields, own: Declarations) -> str:
    text = row.text("exchange")
    if text is None:
        return ""
    names = {exchange.name for exchange in own.exchanges} | {EVENTS}
    if text.value not in names:
        message = f"{text.value!r:.80} is not declared here"
        row.error(text.at, "unknown-name", message, did_you_mean(text.value, sorted(names)))
    elif text.value not in _leading_to_events(own):
        message = f"no binding leads from {text.value!r:.80} to {EVENTS!r}: the bridge would see none of its messages"
        row.error(text.at, "bad-value", message, f"add {{from: {text.value}, to: {EVENTS}}} to 'bindings'")
    return text.value


def _leading_to_events(own: Declarations) -> set[str]:
    """Return the exchanges whose messages come to `events`, also by way of others."""
    found = {EVENTS}
    while more := {each.source for each in own.bindings if each.destination in found} - found:
        found |= more
    return found
