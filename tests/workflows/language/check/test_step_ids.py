"""The rule about step ids: what it finds, and what it lets pass."""

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "the same id twice",
        """
        - {id: pay, action: shop.pay}
        - {id: pay, action: shop.pay}
        """,
        found=[
            "2:8 duplicate-step-id: there are two steps with the id 'pay'; the first is in line 2 | give "
            "each step an id of its own",
        ],
    ),
    Case(
        "the same id in different lists",
        """
        - {id: pay, action: shop.pay}
        - id: each
          items: [1]
          steps:
            - {id: pay, action: shop.pay}
        """,
        found=[
            "5:12 duplicate-step-id: there are two steps with the id 'pay'; the first is in line 2 | give "
            "each step an id of its own",
        ],
    ),
]

RIGHT = [
    Case(
        "ids that only look alike",
        """
        - {id: pay-1, action: shop.pay}
        - {id: pay1, action: shop.pay}
        """,
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_step_ids_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_step_ids_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
