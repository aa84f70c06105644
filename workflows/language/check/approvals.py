"""Approvals can be decided: a quorum is not larger than the number of people who may decide."""

from __future__ import annotations

from workflows.language import nodes
from workflows.language.check.context import Context, Rule
from workflows.language.tree import Items, Scalar, Tree

_USER = "user:"


def _check(context: Context) -> None:
    for step in context.steps:
        if isinstance(step, nodes.Approval):
            for quorum, key in ((step.quorum, "quorum"), (step.reject_quorum, "reject_quorum")):
                if quorum is not None:
                    _attainable(context, step, quorum, key)


def _attainable(context: Context, step: nodes.Approval, quorum: nodes.Located[int], key: str) -> None:
    users = _users(step.approvers)
    more = _users(step.escalate.approvers) if step.escalate is not None else frozenset()
    if users is None or more is None or quorum.value <= len(users | more):
        return
    message = f"`{key}: {quorum.value}` can never be met: only {len(users | more)} may decide"
    context.report.error(quorum.at, "unattainable-quorum", message, "name more users, or a role")


def _users(approvers: Tree | None) -> frozenset[str] | None:
    """The users who are named; None where a role or an expression leaves the number open."""
    listed = approvers.items if isinstance(approvers, Items) else (approvers,)
    names = [str(item.value) for item in listed if isinstance(item, Scalar)]
    closed = len(names) == len(listed) and all(name.startswith(_USER) and "${" not in name for name in names)
    return frozenset(names) if closed else None


RULE = Rule(_check, {"unattainable-quorum": "More approvals are wanted than there are approvers."})
