"""The rule about parallel steps: what it finds, and what it lets pass."""

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "no join",
        """
        - {id: both, type: parallel, next: [left, right]}
        - {id: left, action: shop.pay, next: meet}
        - {id: right, action: shop.pay, next: meet}
        - {id: meet, action: shop.pay, next: last}
        - {id: last, action: shop.pay}
        """,
        found=[
            "1:8 missing-join: the branches 'left' and 'right' of 'both' meet at the step 'meet', but it "
            "has no `join` | add `join: meet`",
        ],
    ),
    Case(
        "a branch twice",
        """
        - {id: both, type: parallel, next: [left, left]}
        - {id: left, action: shop.pay}
        """,
        found=[
            "1:8 missing-join: the branches 'left' and 'left' of 'both' meet at the step 'left', but it has "
            "no `join` | add `join: left`",
        ],
    ),
    Case(
        "meeting before the join",
        """
        - {id: both, type: parallel, next: [left, right], join: last}
        - {id: left, action: shop.pay, next: meet}
        - {id: right, action: shop.pay, next: meet}
        - {id: meet, action: shop.pay, next: last}
        - {id: last, action: shop.pay}
        """,
        found=[
            "1:43 branches-meet: the branches 'left' and 'right' of 'both' meet at the step 'meet' before "
            "the join 'last' | give each branch steps of its own",
        ],
    ),
    Case(
        "a join that is not reached",
        """
        - {id: both, type: parallel, next: [left, right], join: meet}
        - {id: left, action: shop.pay, next: meet}
        - {id: right, action: shop.pay}
        - {id: meet, action: shop.pay}
        """,
        found=[
            "1:43 join-not-reached: the branch 'right' of 'both' never reaches the join 'meet' | add `next: "
            "meet` to 'right'",
        ],
    ),
    Case(
        "round the join",
        """
        - {id: both, type: parallel, next: [left, right], join: meet}
        - {id: left, action: shop.pay, next: meet}
        - {id: right, action: shop.pay, next: last}
        - {id: meet, action: shop.pay, next: last}
        - {id: last, action: shop.pay}
        """,
        found=[
            "1:43 join-bypassed: the branch 'right' of 'both' goes round the join 'meet' to 'last' | let it "
            "end at 'meet'",
        ],
    ),
    Case(
        "an inner parallel that leaves the outer one",
        """
        - {id: outer, type: parallel, next: [inner, right], join: meet}
        - {id: inner, type: parallel, next: [one, two], join: last}
        - {id: one, action: shop.pay, next: last}
        - {id: two, action: shop.pay, next: last}
        - {id: right, action: shop.pay, next: meet}
        - {id: meet, action: shop.pay, next: last}
        - {id: last, action: shop.pay}
        """,
        found=[
            "1:38 join-bypassed: the branch 'inner' of 'outer' goes round the join 'meet' to 'last' | let "
            "it end at 'meet'",
        ],
    ),
    Case(
        "more than there are",
        """
        - {id: both, wait: 3, branches: {left: [{id: one, action: shop.pay}], right: [{id: two, action: shop.pay}]}}
        """,
        found=[
            "1:20 bad-wait: `wait: 3` does not fit 2 branches | all, any, or 1 to 2",
        ],
    ),
    Case(
        "any without a join",
        """
        - {id: both, type: parallel, wait: any, next: [left, right]}
        - {id: left, action: shop.pay}
        - {id: right, action: shop.pay}
        """,
        found=[
            "1:36 bad-wait: `wait: any` has no effect without `join`: no step waits for the branches | name "
            "the step where the branches meet in `join`",
        ],
    ),
]

RIGHT = [
    Case(
        "branches that end",
        """
        - {id: both, type: parallel, next: [left, right]}
        - {id: left, action: shop.pay}
        - {id: right, action: shop.pay}
        """,
    ),
    Case(
        "any of branches by name",
        """
        - {id: both, wait: any, branches: {left: [{id: one, action: shop.pay}], right: [{id: two, action: shop.pay}]}}
        """,
    ),
    Case(
        "nested",
        """
        - {id: outer, type: parallel, next: [inner, right], join: meet}
        - {id: inner, type: parallel, next: [one, two], join: both}
        - {id: one, action: shop.pay, next: both}
        - {id: two, action: shop.pay, next: both}
        - {id: both, action: shop.pay, next: meet}
        - {id: right, action: shop.pay, next: meet}
        - {id: meet, action: shop.pay}
        """,
    ),
    Case(
        "nested with one join",
        """
        - {id: outer, type: parallel, next: [inner, right], join: meet}
        - {id: inner, type: parallel, next: [one, two], join: meet}
        - {id: one, action: shop.pay, next: meet}
        - {id: two, action: shop.pay, next: meet}
        - {id: right, action: shop.pay, next: meet}
        - {id: meet, action: shop.pay}
        """,
    ),
    Case(
        "a branch with a decision",
        """
        - {id: both, type: parallel, next: [choose, right], join: meet}
        - {id: choose, condition: 'true', next: [one, meet]}
        - {id: one, action: shop.pay, next: meet}
        - {id: right, action: shop.pay, next: meet}
        - {id: meet, action: shop.pay}
        """,
    ),
    Case(
        "one of three",
        """
        - {id: both, type: parallel, wait: 2, next: [one, two, three], join: meet}
        - {id: one, action: shop.pay, next: meet}
        - {id: two, action: shop.pay, next: meet}
        - {id: three, action: shop.pay, next: meet}
        - {id: meet, action: shop.pay}
        """,
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_parallels_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_parallels_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
