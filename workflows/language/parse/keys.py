"""Which keys stand where: the vocabulary of the language, in snake case.

The parsers read by it, unknown keys are recognised and corrected by it, and the JSON Schema for editors is made from
it.
"""

from __future__ import annotations

from collections.abc import Mapping

DEFINITION = (
    "id",
    "version",
    "name",
    "description",
    "input",
    "output",
    "key",
    "timeout",
    "saga",
    "compensation",
    "triggers",
    "rollout",
    "lifecycle",
    "sla",
    "keep",
    "steps",
)
RETRY = ("attempts", "backoff", "factor", "max_backoff", "jitter", "on", "not_on")
HANDLER = ("errors", "when", "next")
SAGA = ("order", "on", "retry")
CASE = ("when", "next", "steps")
WAY = ("next", "steps")
CATCH = ("errors", "when", "as", "steps")
REMIND = ("every", "emit")
ESCALATE = ("after", "approvers")
PROBLEM = ("type", "title", "detail", "status")
SLA = ("max_duration", "on_breach")
ROLLOUT = ("percent", "sticky_by")
KEEP = ("succeeded", "failed")
TRIGGER = ("event", "when", "start", "signal", "cancel", "if_missing", "correlate", "schedule", "input")
START = ("key", "input", "if_running")
SIGNAL = ("key", "correlate", "name", "data")
CANCEL = ("key",)
SCHEDULE = ("cron", "timezone", "overlap", "catch_up", "jitter", "paused")
HOLD = ("hold",)

ACTING = ("retry", "attempt_timeout", "heartbeat", "run", "queue", "priority")
COMPENSATE = ("action", "with", "timeout", *ACTING)
_EVERY = ("id", "type", "name", "if", "next", "on_error", "timeout")
_EMIT_ACTING = tuple(key for key in ACTING if key != "priority")

STEPS: Mapping[str, tuple[str, ...]] = {
    "action": (*_EVERY, "action", "with", "compensate", *ACTING),
    "decision": (*_EVERY, "condition", "cases", "else"),
    "parallel": (*_EVERY, "branches", "join", "wait", "on_branch_error"),
    "foreach": (*_EVERY, "items", "as", "index", "concurrency", "steps", "collect", "batch"),
    "repeat": (*_EVERY, "while", "until", "steps", "max", "carry", "index"),
    "approval": (
        *_EVERY,
        "title",
        "show",
        "approvers",
        "quorum",
        "reject_quorum",
        "form",
        "on_timeout",
        "remind",
        "escalate",
        "on_reject",
    ),
    "wait": (*_EVERY, "for", "until"),
    "receive": (*_EVERY, "event", "signal", "match", "on_timeout", "count", "correlate"),
    "emit": (*_EVERY, "event", "data", "version", "priority", "key", "compensate", *_EMIT_ACTING),
    "workflow": (*_EVERY, "workflow", "input", "wait", "key", "compensate"),
    "set": (*_EVERY, "vars"),
    "try": (*_EVERY, "steps", "catch", "finally"),
    "fail": (*_EVERY, "error"),
    "end": (*_EVERY, "output"),
}

TELLING: tuple[tuple[str, frozenset[str]], ...] = (
    ("action", frozenset({"action"})),
    ("workflow", frozenset({"workflow"})),
    ("decision", frozenset({"condition", "cases"})),
    ("parallel", frozenset({"branches", "join", "on_branch_error"})),
    ("foreach", frozenset({"items"})),
    ("repeat", frozenset({"while", "max", "carry"})),
    ("approval", frozenset({"approvers", "form", "quorum", "reject_quorum", "remind", "escalate", "on_reject"})),
    ("receive", frozenset({"signal", "match", "count"})),
    ("emit", frozenset({"data"})),
    ("wait", frozenset({"for", "until"})),
    ("set", frozenset({"vars"})),
    ("try", frozenset({"catch", "finally"})),
    ("fail", frozenset({"error"})),
    ("end", frozenset({"output"})),
    ("receive", frozenset({"event", "on_timeout"})),
    ("emit", frozenset({"event", "version"})),
    ("emit", frozenset({"event", "priority"})),
    ("emit", frozenset({"event", "key"})),
)
"""Which keys tell a step's type where `type` is left out, in the order in which they are looked for.

The last four rows hold pairs, both of which must be there: `event` alone does not say whether it is awaited or sent.
"""
