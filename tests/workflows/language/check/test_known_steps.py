"""The rule about named steps: what it finds, and what it lets pass."""

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "next",
        """
        - {id: charge, action: shop.pay, next: notfy}
        - {id: notify, action: shop.pay, on_error: charge}
        """,
        found=[
            "1:40 unknown-step: there is no step 'notfy' | did you mean 'notify'?",
        ],
    ),
    Case(
        "on_error",
        """
        - {id: charge, action: shop.pay, on_error: fixx}
        - {id: fix, action: shop.pay}
        """,
        found=[
            "1:44 unknown-step: there is no step 'fixx' | did you mean 'fix'?",
        ],
    ),
    Case(
        "an arm of on_error",
        """
        - {id: charge, action: shop.pay, on_error: [{errors: [timeout], next: fixx}]}
        - {id: fix, action: shop.pay}
        """,
        found=[
            "1:71 unknown-step: there is no step 'fixx' | did you mean 'fix'?",
        ],
    ),
    Case(
        "join",
        """
        - {id: both, type: parallel, next: [left, right], join: meeet}
        - {id: left, action: shop.pay, next: meet}
        - {id: right, action: shop.pay}
        - {id: meet, action: shop.pay}
        """,
        found=[
            "1:57 unknown-step: there is no step 'meeet' | did you mean 'meet'?",
        ],
    ),
    Case(
        "a branch",
        """
        - {id: both, type: parallel, next: [left, rihgt]}
        - {id: left, action: shop.pay, next: right}
        - {id: right, action: shop.pay}
        """,
        found=[
            "1:43 unknown-step: there is no step 'rihgt' | did you mean 'right'?",
        ],
    ),
    Case(
        "a case of a decision",
        """
        - {id: choose, cases: [{when: 'true', next: payy}], else: refnd}
        - {id: pay, action: shop.pay}
        - {id: refund, action: shop.refund}
        """,
        found=[
            "1:45 unknown-step: there is no step 'payy' | did you mean 'pay'?",
            "1:59 unknown-step: there is no step 'refnd' | did you mean 'refund'?",
        ],
    ),
    Case(
        "compensate",
        """
        - {id: charge, action: shop.pay, compensate: refnd}
        - {id: end, type: end}
        - {id: refund, action: shop.refund}
        """,
        found=[
            "1:46 unknown-step: there is no step 'refnd' | did you mean 'refund'?",
        ],
    ),
    Case(
        "the map of compensations",
        """
        - {id: charge, action: shop.pay, next: done}
        - {id: done, type: end}
        - {id: refund, action: shop.refund}
        """,
        head="compensation: {chrge: refund, charge: refnd}",
        found=[
            "4:16 unknown-step: there is no step 'chrge' | did you mean 'charge'?",
            "4:39 unknown-step: there is no step 'refnd' | did you mean 'refund'?",
        ],
    ),
    Case(
        "on_reject and on_timeout",
        """
        - {id: ask, type: approval, timeout: 1h, on_timeout: aprove, on_reject: sorrry, next: sorry}
        - {id: sorry, action: shop.pay}
        """,
        found=[
            "1:54 unknown-step: there is no step 'aprove' | did you mean 'approve'?",
            "1:73 unknown-step: there is no step 'sorrry' | did you mean 'sorry'?",
        ],
    ),
    Case(
        "a jump into a block",
        """
        - {id: charge, action: shop.pay, next: each}
        - id: each
          items: [1]
          next: inner
          steps:
            - {id: inner, action: shop.pay}
        """,
        found=[
            "4:9 step-in-other-list: the step 'inner' stands in another list of steps; a path cannot jump "
            "into a block or out of it | name a step of the same list; a block goes on by itself when its "
            "body has ended",
        ],
    ),
    Case(
        "a jump out of a block",
        """
        - id: each
          items: [1]
          steps:
            - {id: inner, action: shop.pay, next: last}
        - {id: last, action: shop.pay}
        """,
        found=[
            "4:43 step-in-other-list: the step 'last' stands in another list of steps; a path cannot jump "
            "into a block or out of it | name a step of the same list; a block goes on by itself when its "
            "body has ended",
        ],
    ),
]

RIGHT = [
    Case(
        "words that are no steps",
        """
        - {id: ask, type: approval, timeout: 1h, on_timeout: approve}
        - {id: hear, signal: paid, timeout: 1h, on_timeout: continue, on_error: continue}
        """,
    ),
    Case(
        "a compensation that stands in another list",
        """
        - {id: charge, action: shop.pay, compensate: refund}
        - id: each
          items: [1]
          steps:
            - {id: refund, action: shop.refund}
        """,
    ),
    Case(
        "a case that names a step of the decision's list",
        """
        - {id: choose, cases: [{when: 'true', next: refund}]}
        - {id: pay, action: shop.pay}
        - {id: refund, action: shop.refund}
        """,
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_known_steps_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_known_steps_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
