"""The rule about texts that are taken as they stand: what it finds, and what it lets pass."""

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "of steps",
        """
        - {id: charge, name: '${ input.x }', action: shop.pay, queue: 'q-${ input.x }'}
        - {id: hear, signal: '${ input.x }'}
        - {id: wake, type: receive, event: '${ input.x }'}
        - {id: child, workflow: '${ input.x }'}
        - {id: ask, timeout: 2h, remind: {every: 1h, emit: '${ input.x }'}}
        """,
        found=[
            "1:22 not-evaluated: `name` is taken as it stands: `${ }` is not evaluated there | write the value itself",
            "1:63 not-evaluated: `queue` is taken as it stands: `${ }` is not evaluated there | write the value itself",
            "2:22 not-evaluated: `signal` is taken as it stands: `${ }` is not evaluated there | write the "
            "value itself",
            "3:36 not-evaluated: `event` is taken as it stands: `${ }` is not evaluated there | write the value itself",
            "4:25 not-evaluated: `workflow` is taken as it stands: `${ }` is not evaluated there | write "
            "the value itself",
            "5:52 not-evaluated: `emit` is taken as it stands: `${ }` is not evaluated there | write the value itself",
        ],
    ),
    Case(
        "of triggers",
        "- {id: hear, signal: payment}",
        head="""
        triggers:
          - {event: '${ input.x }', signal: {key: '${ event.id }', name: '${ event.type }'}}
          - {schedule: {cron: '@daily', timezone: '${ input.x }'}}
        """,
        found=[
            "3:13 not-evaluated: `event` is taken as it stands: `${ }` is not evaluated there | write the value itself",
            "3:66 not-evaluated: `name` is taken as it stands: `${ }` is not evaluated there | write the value itself",
            "3:66 warning unawaited-signal: no `receive` step waits for the signal '${ event.type }' | "
            "there are: payment",
            "4:43 not-evaluated: `timezone` is taken as it stands: `${ }` is not evaluated there | write "
            "the value itself",
            "4:43 unknown-timezone: there is no time zone '${ input.x }' | a name of the IANA database, "
            "such as Europe/Berlin",
        ],
    ),
]

RIGHT = [
    Case(
        "a literal dollar",
        "- {id: charge, name: 'costs $${x}', action: shop.pay}",
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_fixed_texts_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_fixed_texts_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
