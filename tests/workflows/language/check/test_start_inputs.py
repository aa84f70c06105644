"""The rule about inputs of triggers: what it finds, and what it lets pass."""

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "a schedule without input",
        "- {id: charge, action: shop.pay}",
        head="""
        input: {type: object, required: [mode]}
        triggers:
          - schedule: {cron: '@daily'}
        """,
        found=[
            "4:5 bad-start-input: the runs of this trigger would be refused: `input`: 'mode' is missing",
        ],
    ),
    Case(
        "a schedule's constant",
        "- {id: charge, action: shop.pay}",
        head="""
        input: {properties: {mode: {enum: [fast, slow]}}}
        triggers:
          - schedule: {cron: '@daily'}
            input: {mode: nightly}
        """,
        found=[
            '5:19 bad-start-input: the runs of this trigger would be refused: `input.mode`: "nightly" is '
            'not one of "fast" or "slow"',
        ],
    ),
    Case(
        "an event's constant",
        "- {id: charge, action: shop.pay}",
        head="""
        input: {properties: {mode: {type: string}}, additionalProperties: false}
        triggers:
          - event: order.placed
            start: {input: {mode: 1, order: '${ event.data.id }'}}
        """,
        found=[
            '5:27 bad-start-input: the runs of this trigger would be refused: `input.mode`: 1 is not of type "string"',
            "5:30 bad-start-input: the runs of this trigger would be refused: `input`: there is no key "
            "'order' | there are: mode",
        ],
    ),
]

RIGHT = [
    Case(
        "inputs that fit",
        "- {id: charge, action: shop.pay}",
        head="""
        input: {required: [mode], properties: {mode: {enum: [fast, slow]}}}
        triggers:
          - schedule: {cron: '@daily'}
            input: {mode: fast}
          - event: order.placed
            start: {input: '${ event.data }'}
          - event: order.fast
            start: {}
          - event: order.slow
            start: {input: {mode: '${ event.data.mode }'}}
        """,
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_start_inputs_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_start_inputs_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
