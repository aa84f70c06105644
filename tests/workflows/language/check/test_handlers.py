"""The rule about arms: what it finds, and what it lets pass."""

# ruff: noqa: E501 - the tables hold lines of YAML

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "behind an arm that takes all",
        """
        - {id: charge, action: shop.pay, on_error: [{next: continue}, {errors: [timeout], next: continue}]}
        """,
        found=[
            "1:63 warning dead-arm: this arm is never taken: the arms before it take all that it would | "
            "put it before them, or remove it",
        ],
    ),
    Case(
        "the same type again",
        """
        - {id: charge, action: shop.pay, on_error: [{errors: [timeout, runtime], next: continue}, {errors: [timeout], when: 'true', next: continue}]}
        """,
        found=[
            "1:91 warning dead-arm: this arm is never taken: the arms before it take all that it would | "
            "put it before them, or remove it",
        ],
    ),
    Case(
        "a catch behind one that takes all",
        """
        - id: attempt
          type: try
          steps: [{id: charge, action: shop.pay}]
          catch:
            - {steps: [{id: one, action: shop.pay}]}
            - {steps: [{id: two, action: shop.pay}]}
        """,
        found=[
            "6:7 warning dead-arm: this arm is never taken: the arms before it take all that it would | put "
            "it before them, or remove it",
        ],
    ),
    Case(
        "a try for nothing",
        "- {id: attempt, type: try, steps: [{id: charge, action: shop.pay}]}",
        found=[
            "1:8 warning no-effect: the `try` of 'attempt' has neither `catch` nor `finally` | add one, or "
            "leave the `try` out",
        ],
    ),
]

RIGHT = [
    Case(
        "arms in order",
        """
        - {id: charge, action: shop.pay, on_error: [{errors: [timeout], when: 'error.status > 500', next: continue}, {errors: [timeout], next: continue}, {when: 'error.status > 500', next: continue}, {next: continue}]}
        - {id: attempt, type: try, steps: [{id: look, action: shop.look}], finally: [{id: last, action: shop.pay}]}
        """,
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_handlers_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_handlers_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
