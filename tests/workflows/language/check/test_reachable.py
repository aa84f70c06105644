"""The rule about reachability: what it finds, and what it lets pass."""

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "behind an end",
        """
        - {id: stop, type: end}
        - {id: charge, action: shop.pay}
        """,
        found=[
            "2:8 unreachable-step: no path leads to the step 'charge' | every path before it ends; move it "
            "or remove it",
        ],
    ),
    Case(
        "behind a fail",
        """
        - {id: stop, type: fail, error: {type: empty}}
        - {id: charge, action: shop.pay}
        """,
        found=[
            "2:8 unreachable-step: no path leads to the step 'charge' | every path before it ends; move it "
            "or remove it",
        ],
    ),
    Case(
        "named by nobody in graph shape",
        """
        - {id: charge, action: shop.pay, next: notify}
        - {id: notify, action: shop.pay}
        - {id: lost, action: shop.pay}
        """,
        found=[
            "3:8 unreachable-step: no path leads to the step 'lost' | name it in a step's `next`: in a list "
            "in which some step has `next`, only `next` leads on",
        ],
    ),
    Case(
        "a block that nothing leads to, once",
        """
        - {id: stop, type: end}
        - id: each
          items: [1]
          steps:
            - {id: inner, action: shop.pay}
        """,
        found=[
            "2:7 unreachable-step: no path leads to the step 'each' | every path before it ends; move it or remove it",
        ],
    ),
    Case(
        "behind a decision whose ways all end",
        """
        - id: choose
          cases:
            - {when: 'true', steps: [{id: good, type: end}]}
          else: [{id: bad, type: end}]
        - {id: charge, action: shop.pay}
        """,
        found=[
            "5:8 unreachable-step: no path leads to the step 'charge' | every path before it ends; move it "
            "or remove it",
        ],
    ),
    Case(
        "a successor of an end",
        """
        - {id: stop, type: end, next: charge}
        - {id: charge, action: shop.pay}
        """,
        found=[
            "1:31 warning no-effect: `next` has no effect after 'stop', which ends the path | add `if`, or remove it",
            "2:8 unreachable-step: no path leads to the step 'charge' | name it in a step's `next`: in a "
            "list in which some step has `next`, only `next` leads on",
        ],
    ),
    Case(
        "inside a branch",
        """
        - id: both
          branches:
            left:
              - {id: stop, type: end}
              - {id: charge, action: shop.pay}
        """,
        found=[
            "5:14 unreachable-step: no path leads to the step 'charge' | every path before it ends; move it "
            "or remove it",
        ],
    ),
    Case(
        "a handler in the way",
        """
        - {id: charge, action: shop.pay, on_error: fix}
        - {id: fix, action: shop.refund}
        - {id: ship, action: shop.pay}
        """,
        found=[
            "2:8 warning handler-on-good-path: 'fix' handles a failure, but also runs after 'charge' | move it "
            "to the end of the list, or give the steps before it `next`",
        ],
    ),
    Case(
        "a compensation in the way",
        """
        - {id: charge, action: shop.pay, compensate: refund}
        - {id: refund, action: shop.refund}
        - {id: ship, action: shop.pay}
        """,
        found=[
            "2:8 warning handler-on-good-path: 'refund' handles a failure, but also runs after 'charge' | "
            "move it to the end of the list, or give the steps before it `next`",
        ],
    ),
]

RIGHT = [
    Case(
        "side steps at the end",
        """
        - {id: charge, action: shop.pay, on_error: fix, compensate: refund}
        - {id: fix, action: shop.refund}
        - {id: refund, action: shop.refund}
        """,
    ),
    Case(
        "only a failure leads there",
        """
        - {id: charge, action: shop.pay, on_error: fix, next: done}
        - {id: done, type: end}
        - {id: fix, action: shop.refund}
        """,
    ),
    Case(
        "only compensations stand there",
        """
        - {id: charge, action: shop.pay, compensate: refund}
        - {id: book, action: shop.pay, compensate: unbook}
        - {id: done, type: end}
        - {id: refund, action: shop.refund}
        - {id: unbook, action: shop.refund}
        """,
    ),
    Case(
        "a decision that leads around its handler",
        """
        - {id: ask, action: shop.pay, on_error: fix}
        - {id: choose, cases: [{when: 'true', next: last}], else: last}
        - {id: fix, action: shop.refund}
        - {id: last, action: shop.pay}
        """,
    ),
    Case(
        "only a compensation leads there",
        """
        - {id: charge, action: shop.pay, next: done}
        - {id: done, type: end}
        - {id: refund, action: shop.refund}
        """,
        head="compensation: {charge: refund}",
    ),
    Case(
        "only a rejection or a time-out leads there",
        """
        - {id: ask, type: approval, timeout: 1h, on_timeout: late, on_reject: sorry, next: done}
        - {id: done, type: end}
        - {id: late, action: shop.pay}
        - {id: sorry, action: shop.pay}
        """,
    ),
    Case(
        "an end that may be skipped, in graph shape",
        """
        - {id: stop, type: end, if: input.done, next: charge}
        - {id: charge, action: shop.pay}
        """,
    ),
    Case(
        "an end that may be skipped",
        """
        - {id: stop, type: end, if: input.done}
        - {id: charge, action: shop.pay}
        """,
    ),
    Case(
        "a decision that may be skipped",
        """
        - id: choose
          if: input.ask
          cases: [{when: 'true', steps: [{id: good, type: end}]}]
          else: [{id: bad, type: end}]
        - {id: charge, action: shop.pay}
        """,
    ),
    Case(
        "behind a try that only its catch leaves",
        """
        - id: attempt
          type: try
          steps: [{id: stop, type: fail, error: {type: empty}}]
          catch: [{steps: [{id: fix, action: shop.pay}]}]
        - {id: charge, action: shop.pay}
        """,
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_reachable_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_reachable_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
