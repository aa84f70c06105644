"""The rule about compensations: what it finds, and what it lets pass."""

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "by a step that is no action",
        """
        - {id: charge, action: shop.pay, compensate: rest}
        - {id: stop, type: end}
        - {id: rest, for: 1s}
        """,
        found=[
            "1:46 bad-compensation: the step 'rest' is no action, so it cannot compensate 'charge' | name a "
            "step with `action`, or write {action, with}",
        ],
    ),
    Case(
        "by itself",
        "- {id: charge, action: shop.pay, compensate: charge}",
        found=[
            "1:46 bad-compensation: the step 'charge' compensates itself",
        ],
    ),
    Case(
        "of a step that does nothing",
        """
        - {id: rest, for: 1s, next: done}
        - {id: done, type: end}
        - {id: refund, action: shop.refund}
        """,
        head="compensation: {rest: refund}",
        found=[
            "4:16 bad-compensation: the step 'rest' carries out no action, so there is nothing to "
            "compensate | name the action steps inside it",
        ],
    ),
    Case(
        "twice",
        """
        - {id: charge, action: shop.pay, compensate: refund, next: done}
        - {id: done, type: end}
        - {id: refund, action: shop.refund}
        """,
        head="compensation: {charge: refund}",
        found=[
            "4:16 bad-compensation: the step 'charge' has a compensation already: its own `compensate` | "
            "remove one of the two",
        ],
    ),
]

RIGHT = [
    Case(
        "of a child workflow",
        """
        - {id: child, workflow: other, next: done}
        - {id: done, type: end}
        - {id: refund, action: shop.refund}
        """,
        head="compensation: {child: refund}",
    ),
    Case(
        "by an event",
        """
        - {id: charge, action: shop.pay, compensate: undo, next: done}
        - {id: done, type: end}
        - {id: undo, type: emit, event: charge.undone}
        """,
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_compensations_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_compensations_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
