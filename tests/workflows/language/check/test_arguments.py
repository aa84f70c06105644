"""The rule about arguments: what it finds, and what it lets pass."""

# ruff: noqa: E501 - the tables hold lines of YAML

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "missing",
        "- {id: quote, action: shop.quote, with: {count: 1}}",
        found=[
            "1:41 missing-argument: `with` of 'shop.quote': 'sku' is missing | What is sold.",
        ],
    ),
    Case(
        "unknown",
        "- {id: quote, action: shop.quote, with: {sku: a, cuont: 1}}",
        found=[
            "1:50 unknown-argument: `with` of 'shop.quote': there is no key 'cuont' | did you mean 'count'?",
        ],
    ),
    Case(
        "wrong constants",
        "- {id: quote, action: shop.quote, with: {sku: 1, count: 0, tags: [a, 2], note: 3}}",
        found=[
            "1:47 wrong-argument: `with.sku` of 'shop.quote': 1 is not of type \"string\"",
            "1:57 wrong-argument: `with.count` of 'shop.quote': 0 is less than the minimum of 1",
            "1:70 wrong-argument: `with.tags.1` of 'shop.quote': 2 is not of type \"string\"",
            "1:80 wrong-argument: `with.note` of 'shop.quote': 3 fits none of what is allowed: string or null",
        ],
    ),
    Case(
        "inside",
        "- {id: quote, action: shop.quote, with: {sku: a, buyer: {nme: ann}}}",
        found=[
            "1:57 missing-argument: `with.buyer` of 'shop.quote': 'name' is missing",
            "1:58 unknown-argument: `with.buyer` of 'shop.quote': there is no key 'nme' | did you mean 'name'?",
        ],
    ),
    Case(
        "a wrong constant beside an expression",
        "- {id: quote, action: shop.quote, with: {sku: '${ input.sku }', count: many}}",
        found=[
            '1:72 wrong-argument: `with.count` of \'shop.quote\': "many" is not of type "integer"',
        ],
    ),
    Case(
        "an expression of the wrong type",
        """
        - {id: quote, action: shop.quote, with: {sku: a, count: '${ input.name }', buyer: {name: '${ 1 }'}, note: '${ [1] }'}}
        """,
        head="input: {properties: {name: {type: string}}}",
        found=[
            "1:57 wrong-argument: `with.count` of 'shop.quote' is a number, but the expression gives a string",
            "1:90 wrong-argument: `with.buyer.name` of 'shop.quote' is a string, but the expression gives a number",
            "1:107 wrong-argument: `with.note` of 'shop.quote' is a string, but the expression gives a list",
        ],
    ),
    Case(
        "text around an expression",
        "- {id: quote, action: shop.quote, with: {sku: a, count: 'about ${ 3 }'}}",
        found=[
            "1:57 wrong-argument: `with.count` of 'shop.quote' is a number, but the expression gives a string",
        ],
    ),
    Case(
        "of the whole",
        "- {id: quote, action: shop.quote, with: '${ 1 }'}",
        found=[
            "1:41 wrong-argument: `with` of 'shop.quote' is an object, but the expression gives a number",
        ],
    ),
    Case(
        "of a compensation",
        "- {id: charge, action: shop.pay, compensate: {action: shop.quote, with: {skuu: a}}}",
        found=[
            "1:73 missing-argument: `with` of 'shop.quote': 'sku' is missing | What is sold.",
            "1:74 unknown-argument: `with` of 'shop.quote': there is no key 'skuu' | did you mean 'sku'?",
        ],
    ),
]

RIGHT = [
    Case(
        "constants and expressions",
        """
        - {id: quote, action: shop.quote, with: {sku: 'a-${ 1 }', count: '${ input.count }', tags: '${ input.tags }', buyer: '${ input.buyer }', note: '${ now }'}}
        """,
        head="input: {properties: {count: {type: integer}, tags: {}, buyer: {type: object}}}",
    ),
    Case(
        "all from one expression",
        "- {id: quote, action: shop.quote, with: '${ input }'}",
    ),
    Case(
        "none",
        "- {id: quote, action: shop.quote}",
    ),
    Case(
        "a literal dollar",
        "- {id: quote, action: shop.quote, with: {sku: '$${x}', note: null}}",
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_arguments_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_arguments_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
