"""The rule about approvals: what it finds, and what it lets pass."""

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "more than there are",
        "- {id: ask, approvers: ['user:ann', 'user:bob', 'user:ann'], quorum: 3}",
        found=[
            "1:70 unattainable-quorum: `quorum: 3` can never be met: only 2 may decide | name more users, or a role",
        ],
    ),
    Case(
        "more rejections than there are",
        "- {id: ask, approvers: 'user:ann', reject_quorum: 2}",
        found=[
            "1:51 unattainable-quorum: `reject_quorum: 2` can never be met: only 1 may decide | name more "
            "users, or a role",
        ],
    ),
    Case(
        "even after the escalation",
        """
        - {id: ask, approvers: ['user:ann'], quorum: 3, timeout: 2h, escalate: {after: 1h, approvers: ['user:bob']}}
        """,
        found=[
            "1:46 unattainable-quorum: `quorum: 3` can never be met: only 2 may decide | name more users, or a role",
        ],
    ),
]

RIGHT = [
    Case(
        "as many as there are",
        "- {id: ask, approvers: ['user:ann', 'user:bob'], quorum: 2}",
    ),
    Case(
        "a role or an expression leaves it open",
        """
        - {id: ask, approvers: ['user:ann', 'role:boss'], quorum: 2}
        - {id: again, approvers: ['user:${ input.boss }'], quorum: 2}
        - {id: anybody, type: approval, quorum: 5}
        - {id: computed, approvers: '${ input.bosses }', quorum: 2}
        """,
    ),
    Case(
        "the escalation adds one",
        """
        - {id: ask, approvers: ['user:ann'], quorum: 2, timeout: 2h, escalate: {after: 1h, approvers: ['user:bob']}}
        """,
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_approvals_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_approvals_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
