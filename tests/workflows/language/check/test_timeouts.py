"""The rule about durations: what it finds, and what it lets pass."""

# ruff: noqa: E501 - the tables hold lines of YAML

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "no duration",
        "- {id: rest, for: 3 fortnights}",
        found=[
            "1:19 bad-duration: '3 fortnights' is no duration such as 30s, 5m, 1h30m, 250ms, 2d or PT5M (a "
            "bare number is milliseconds) | such as 30s, 5m, 1h",
        ],
    ),
    Case(
        "an attempt longer than the step",
        "- {id: charge, action: shop.pay, timeout: 5s, attempt_timeout: 30s}",
        found=[
            "1:64 warning odd-timeout: `attempt_timeout` is longer than `timeout`, so no attempt can last that long",
        ],
    ),
    Case(
        "a heartbeat longer than the attempt",
        "- {id: charge, action: shop.pay, attempt_timeout: 5s, heartbeat: 10s}",
        found=[
            "1:66 warning odd-timeout: `heartbeat` is longer than `attempt_timeout`, so it is never missed",
        ],
    ),
    Case(
        "a local step that is slow",
        "- {id: look, action: shop.look, attempt_timeout: 30s, heartbeat: 3s, queue: other}",
        found=[
            "1:50 warning odd-timeout: an attempt of more than 10 s holds up the whole run in a local step "
            "| use `run: remote`",
            "1:66 warning odd-timeout: a local step sends no heartbeats | use `run: remote`",
            "1:77 warning no-effect: a local step runs in its own worker, so `queue` has no effect | use `run: remote`",
        ],
    ),
    Case(
        "a step made local",
        "- {id: charge, action: shop.pay, run: local, heartbeat: 3s}",
        found=[
            "1:57 warning odd-timeout: a local step sends no heartbeats | use `run: remote`",
        ],
    ),
    Case(
        "a time-out that never comes",
        """
        - {id: ask, type: approval, on_timeout: fail}
        - {id: hear, signal: paid, on_timeout: continue}
        """,
        found=[
            "1:41 warning no-effect: `on_timeout` has no effect without `timeout` | add `timeout`, such as 72h",
            "2:40 warning no-effect: `on_timeout` has no effect without `timeout` | add `timeout`, such as 72h",
        ],
    ),
    Case(
        "too late for an approval",
        """
        - {id: ask, timeout: 1h, remind: {every: 2h, emit: ask.again}, escalate: {after: 1h, approvers: ['role:boss']}}
        """,
        found=[
            "1:42 warning odd-timeout: the approval times out before the first reminder | make `every` shorter",
            "1:82 warning odd-timeout: the approval times out before it escalates | make `after` shorter",
        ],
    ),
]

RIGHT = [
    Case(
        "durations in order",
        """
        - {id: charge, action: shop.pay, timeout: 1m, attempt_timeout: 30s, heartbeat: 10s}
        - {id: rest, for: '${ input.delay }'}
        - {id: nap, for: PT5M}
        - {id: ask, timeout: 3h, on_timeout: fail, remind: {every: 1h, emit: ask.again}, escalate: {after: 2h, approvers: ['role:boss']}}
        """,
    ),
    Case(
        "a local action made remote",
        """
        - {id: look, action: shop.look, run: remote, attempt_timeout: 30s, heartbeat: 3s, queue: other}
        """,
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_timeouts_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_timeouts_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
