"""The rule about events and signals: what it finds, and what it lets pass."""

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "no topic patterns",
        "- {id: hear, event: 'order..placed', match: 'true'}",
        head="""
        triggers:
          - {event: 'order.pl*', start: {}}
        """,
        found=[
            "1:21 bad-topic: 'order..placed' is no topic pattern: words of letters, digits, - and _, with "
            "dots between them | `*` stands for exactly one word, `#` for any number of words: order.*, "
            "order.#",
            "3:13 bad-topic: 'order.pl*' is no topic pattern: words of letters, digits, - and _, with dots "
            "between them | `*` stands for exactly one word, `#` for any number of words: order.*, order.#",
        ],
    ),
    Case(
        "no event types",
        """
        - {id: tell, event: order..paid, data: {}}
        - {id: all, event: order.*, data: {}}
        - {id: ask, timeout: 2h, remind: {every: 1h, emit: 'ask again'}}
        """,
        found=[
            "1:21 bad-topic: 'order..paid' is no event type: words of letters, digits, - and _, with dots "
            "between them | such as order.placed",
            "2:20 bad-topic: 'order.*' is no event type: words of letters, digits, - and _, with dots "
            "between them | such as order.placed",
            "3:52 bad-topic: 'ask again' is no event type: words of letters, digits, - and _, with dots "
            "between them | such as order.placed",
        ],
    ),
    Case(
        "a signal of approvals",
        "- {id: hear, signal: approve}",
        found=[
            "1:22 reserved-signal: the signal 'approve' belongs to approvals | choose another name, or use "
            "`type: approval`",
        ],
    ),
    Case(
        "a signal that nobody waits for",
        "- {id: hear, signal: payment}",
        head="""
        triggers:
          - {event: order.paid, signal: {key: '${ event.data.id }', name: paymnt}}
        """,
        found=[
            "3:67 warning unawaited-signal: no `receive` step waits for the signal 'paymnt' | did you mean 'payment'?",
        ],
    ),
    Case(
        "fields that no run is found by",
        """
        - {id: hear, signal: payment, correlate: {invoice: x}}
        """,
        head="""
        triggers:
          - {event: payment.made, signal: {correlate: {invoce: '${ event.data.i }'}, name: payment}}
        """,
        found=[
            "3:48 unknown-correlation: no `receive` step waits for the field 'invoce': this would never find a run | "
            "did you mean 'invoice'?",
        ],
    ),
    Case(
        "fields although no run publishes any",
        "- {id: hear, signal: payment}",
        head="""
        triggers:
          - {event: payment.made, signal: {correlate: {invoice: x}, name: payment}}
        """,
        found=[
            "3:48 unknown-correlation: no `receive` step waits for the field 'invoice': this would never find a run | "
            "give the `receive` step the same `correlate`",
        ],
    ),
    Case(
        "an event's priority",
        """
        - {id: tell, event: order.paid, data: {}, priority: 12}
        - {id: shout, event: order.paid, data: {}, priority: high}
        """,
        found=[
            "1:53 bad-event-priority: the priority of an event is a whole number from 0 to 9, not 12 | 0 is "
            "lowest, 9 highest",
            "2:54 bad-event-priority: the priority of an event is a whole number from 0 to 9, not 'high' | "
            "0 is lowest, 9 highest",
        ],
    ),
]

RIGHT = [
    Case(
        "patterns and signals",
        """
        - {id: hear, signal: payment}
        - {id: tell, event: order.paid, data: {}, priority: 9}
        - {id: say, event: order.paid, data: {}, priority: '${ 3 }'}
        """,
        head="""
        triggers:
          - {event: 'order.*.paid.#', signal: {key: '${ event.data.id }', name: payment}}
          - {event: order.allowed, signal: {key: '${ event.data.id }', name: approve}}
        """,
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_messages_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_messages_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
