"""The rule about names: what it finds, and what it lets pass."""

# ruff: noqa: E501 - the tables hold lines of YAML

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "a loop's name that means something else",
        "- {id: each, items: [1], as: input, index: now, steps: [{id: inner, action: shop.pay}]}",
        found=[
            "1:30 bad-name: the name 'input' is taken: it means something else in expressions | choose another name",
            "1:44 bad-name: the name 'now' is taken: it means something else in expressions | choose another name",
        ],
    ),
    Case(
        "a catch's name that means something else",
        """
        - {id: attempt, type: try, steps: [{id: charge, action: shop.pay}], catch: [{as: run, steps: [{id: fix, action: shop.pay}]}]}
        """,
        found=[
            "1:82 bad-name: the name 'run' is taken: it means something else in expressions | choose another name",
        ],
    ),
    Case(
        "variables that no expression can read",
        "- {id: assign, vars: {in: 1, my-var: 2, 2nd: 3}}",
        found=[
            "1:23 bad-name: the name 'in' is a word of the expression language | choose another name",
            "1:30 bad-name: 'my-var' cannot be used in an expression: a name has letters, digits and "
            "underscores, no digit first | write 'my_var'",
            "1:41 bad-name: '2nd' cannot be used in an expression: a name has letters, digits and "
            "underscores, no digit first",
        ],
    ),
    Case(
        "carried variables",
        """
        - {id: again, until: 'true', max: 2, carry: {a b: 1}, steps: [{id: inner, action: shop.pay}]}
        """,
        found=[
            "1:46 bad-name: 'a b' cannot be used in an expression: a name has letters, digits and "
            "underscores, no digit first | write 'a_b'",
        ],
    ),
]

RIGHT = [
    Case(
        "names of their own",
        """
        - {id: each, items: [1], as: line, index: at, steps: [{id: inner, vars: {total: '${ line + at }', Total_2: 1}}]}
        """,
    ),
    Case(
        "the usual names written out",
        "- {id: each, items: [1], as: item, index: index, steps: [{id: inner, action: shop.pay}]}",
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_variables_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_variables_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
