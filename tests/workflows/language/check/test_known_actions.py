"""The rule about actions: what it finds, and what it lets pass."""

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "an unknown action",
        "- {id: charge, action: shop.qote}",
        found=[
            "1:24 unknown-action: there is no action 'shop.qote' | did you mean 'shop.quote'?",
        ],
    ),
    Case(
        "an unknown compensating action",
        "- {id: charge, action: shop.pay, compensate: {action: shop.refnd}}",
        found=[
            "1:55 unknown-action: there is no action 'shop.refnd' | did you mean 'shop.refund'?",
        ],
    ),
    Case(
        "a plugin's action",
        "- {id: charge, action: plugin/pay@^1.2}",
        found=[
            "1:24 plugin-action: 'plugin/pay@^1.2' is a plugin's action, and this version loads no plugins "
            "| use a registered action",
        ],
    ),
    Case(
        "nothing like it",
        "- {id: charge, action: zzz}",
        found=[
            "1:24 unknown-action: there is no action 'zzz' | there are: shop.look, shop.pay, shop.quote, shop.refund",
        ],
    ),
]

RIGHT = [
    Case(
        "registered actions",
        "- {id: charge, action: shop.pay, compensate: {action: shop.refund}}",
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_known_actions_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_known_actions_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
