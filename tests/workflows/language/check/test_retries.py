"""The rule about retries: what it finds, and what it lets pass."""

# ruff: noqa: E501 - the tables hold lines of YAML

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "delays that shrink",
        "- {id: charge, action: shop.pay, retry: {backoff: 9s, max_backoff: 3s}}",
        found=[
            "1:68 bad-retry: `max_backoff` is shorter than `backoff` | the longest delay comes last",
        ],
    ),
    Case(
        "retried and not",
        "- {id: charge, action: shop.pay, retry: {on: [timeout], not_on: [timeout]}}",
        found=[
            "1:66 bad-retry: 'timeout' stands in `on` and in `not_on` | `on` alone retries only its types; "
            "`not_on` all but its types",
        ],
    ),
    Case(
        "of a compensation and of the saga",
        """
        - {id: charge, action: shop.pay, compensate: {action: shop.refund, retry: {backoff: 9s, max_backoff: 3s}}}
        """,
        head="saga: {retry: {backoff: 2m, max_backoff: 1m}}",
        found=[
            "1:102 bad-retry: `max_backoff` is shorter than `backoff` | the longest delay comes last",
            "2:42 bad-retry: `max_backoff` is shorter than `backoff` | the longest delay comes last",
        ],
    ),
    Case(
        "a misspelt type",
        """
        - {id: charge, action: shop.pay, retry: {on: [timout]}, on_error: [{errors: [comunication], next: continue}]}
        """,
        found=[
            "1:47 warning unusual-problem-type: 'timout' is no standard problem type, nor raised here | did "
            "you mean 'timeout'?",
            "1:78 warning unusual-problem-type: 'comunication' is no standard problem type, nor raised here "
            "| did you mean 'communication'?",
        ],
    ),
    Case(
        "a misspelt type in a catch",
        """
        - {id: attempt, type: try, steps: [{id: charge, action: shop.pay}], catch: [{errors: [out-of-stok], steps: [{id: stop, type: fail, error: {type: out-of-stock}}]}]}
        """,
        found=[
            "1:87 warning unusual-problem-type: 'out-of-stok' is no standard problem type, nor raised here "
            "| did you mean 'out-of-stock'?",
        ],
    ),
]

RIGHT = [
    Case(
        "standard types and types of one's own",
        """
        - {id: charge, action: shop.pay, retry: {attempts: 3, backoff: 1s, max_backoff: 9s, on: [timeout, card-declined], not_on: [validation]}}
        """,
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_retries_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_retries_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
