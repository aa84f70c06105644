"""Decisions: who may decide an approval, and when it is decided.

Pure rules without a turn, because the update's validator asks them before anything is applied.
"""

from __future__ import annotations

from contracts.problems import AUTHORIZATION, REJECTED, VALIDATION, Problem
from workflows.engine.events import Decision
from workflows.engine.schemas import complaints
from workflows.engine.state import Wait
from workflows.language.plan import Approval


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
    return _form_refusal(wait, node, decision) if decision.approved else None


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
