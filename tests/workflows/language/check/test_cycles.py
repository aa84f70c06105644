"""The rule about loops by next: what it finds, and what it lets pass."""

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "two steps",
        """
        - {id: first, action: shop.pay, next: second}
        - {id: second, action: shop.pay, next: first}
        """,
        found=[
            "2:40 endless-loop: the path from 'second' comes back to 'first': a loop without a bound | put "
            "the steps into a step of `type: repeat` with `max`",
        ],
    ),
    Case(
        "a step that names itself",
        "- {id: first, action: shop.pay, next: first}",
        found=[
            "1:39 endless-loop: the path from 'first' comes back to 'first': a loop without a bound | put "
            "the steps into a step of `type: repeat` with `max`",
        ],
    ),
    Case(
        "by way of a failure",
        """
        - {id: first, action: shop.pay, next: second}
        - {id: second, action: shop.pay, on_error: first}
        """,
        found=[
            "2:44 endless-loop: the path from 'second' comes back to 'first': a loop without a bound | put "
            "the steps into a step of `type: repeat` with `max`",
        ],
    ),
    Case(
        "back from a case",
        """
        - {id: first, action: shop.pay}
        - {id: choose, cases: [{when: 'true', next: first}]}
        """,
        found=[
            "2:45 endless-loop: the path from 'choose' comes back to 'first': a loop without a bound | put "
            "the steps into a step of `type: repeat` with `max`",
        ],
    ),
    Case(
        "inside a block",
        """
        - id: each
          items: [1]
          steps:
            - {id: first, action: shop.pay, next: second}
            - {id: second, action: shop.pay, next: first}
        """,
        found=[
            "5:44 endless-loop: the path from 'second' comes back to 'first': a loop without a bound | put "
            "the steps into a step of `type: repeat` with `max`",
        ],
    ),
    Case(
        "two loops",
        """
        - {id: first, action: shop.pay, next: second}
        - {id: second, condition: 'true', next: [first, third]}
        - {id: third, action: shop.pay, next: second}
        """,
        found=[
            "2:42 endless-loop: the path from 'second' comes back to 'first': a loop without a bound | put "
            "the steps into a step of `type: repeat` with `max`",
            "3:39 endless-loop: the path from 'third' comes back to 'second': a loop without a bound | put "
            "the steps into a step of `type: repeat` with `max`",
        ],
    ),
]

RIGHT = [
    Case(
        "ways that meet",
        """
        - {id: choose, condition: 'true', next: [left, right]}
        - {id: left, action: shop.pay, next: last}
        - {id: right, action: shop.pay, next: last}
        - {id: last, action: shop.pay}
        """,
    ),
    Case(
        "a repeat",
        "- {id: again, until: 'true', max: 3, steps: [{id: first, action: shop.pay}]}",
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_cycles_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_cycles_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
