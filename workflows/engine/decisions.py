"""Decisions: who may decide an approval, and when it is decided.

Pure rules without a turn, because the update's validator asks them before anything is applied.
"""

from __future__ import annotations

from typing import Final

from contracts.json import NotJsonError, encode
from contracts.problems import AUTHORIZATION, REJECTED, VALIDATION, Problem
from contracts.sizes import PAYLOAD_LIMIT_BYTES
from workflows.engine.events import Decision
from workflows.engine.schemas import complaints
from workflows.engine.state import Wait
from workflows.language.plan import Approval

DECISIONS_LIMIT_BYTES: Final = PAYLOAD_LIMIT_BYTES
"""Of JSON, all decisions on one approval together: its output is no larger than what can be sent."""


def refusal_of(wait: Wait, node: Approval, decision: Decision) -> Problem | None:
    """Return why a decision is refused, or None."""
    if not decision.approver:
        return Problem(VALIDATION, "The decision names no approver", 422, "Say who decides in `approver`.")
    if not _may_decide(wait, decision):
        allowed = ", ".join(wait.approvers or [])
        detail = f"{decision.approver} may not decide `{wait.path}`; these may: {allowed}."
        return Problem(AUTHORIZATION, "Not an approver", 403, detail)
    if any(entry["approver"] == decision.approver for entry in wait.decisions):
        return Problem(REJECTED, "Already decided", 409, f"{decision.approver} has decided `{wait.path}` already.")
    if wait.decisions_bytes + size_of(decision) > DECISIONS_LIMIT_BYTES:
        detail = (
            f"Comments and data of all who decide `{wait.path}` may have {DECISIONS_LIMIT_BYTES:,} bytes, "
            f"{wait.decisions_bytes:,} are taken: say it shorter, or say where it stands."
        )
        return Problem(VALIDATION, "The decision is too large", 413, detail)
    return _form_refusal(wait, node, decision) if decision.approved else None


def size_of(decision: Decision) -> int:
    """Return how much of what an approval may keep a decision takes, bytes of JSON; what is no JSON takes too much."""
    try:
        return len(encode([decision.approver, decision.comment, decision.data], any_depth=True))
    except NotJsonError:
        return DECISIONS_LIMIT_BYTES + 1


def tally(wait: Wait, node: Approval) -> bool | None:
    """Return True when approved, False when rejected, None while it is open."""
    words = [entry["decision"] for entry in wait.decisions]
    if words.count("rejected") >= node.reject_quorum:
        return False
    return True if words.count("approved") >= node.quorum else None


def _may_decide(wait: Wait, decision: Decision) -> bool:
    if wait.approvers is None:
        return True
    identities = {decision.approver, f"user:{decision.approver}"}
    roles = {role if role.startswith("role:") else f"role:{role}" for role in decision.roles}
    return bool((identities | roles) & set(wait.approvers))


def _form_refusal(wait: Wait, node: Approval, decision: Decision) -> Problem | None:
    if node.form is None:
        return None
    found = complaints(node.form, {} if decision.data is None else decision.data)
    if not found:
        return None
    return Problem(VALIDATION, "The form is not filled in right", 422, f"`{wait.path}`: {'; '.join(found)}")
