"""Differences: the broker's sentences are read, and each finding says what to do."""

from __future__ import annotations

import pytest

from bridge.topology.diff import Difference, Finding, State, agrees, difference_in
from bridge.topology.model import Binding, Exchange, Queue

IN_FRONT = "PRECONDITION_FAILED - inequivalent arg "


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (
            "'x-message-ttl' for queue 'q' in vhost '/': received the value '1000' of type 'signedint' but current is "
            "none",
            Difference("queue", "q", "x-message-ttl", "1000", "not set"),
        ),
        (
            "'x-overflow' for queue 'a b' in vhost 'v': received none but current is the value 'drop-head' of type "
            "'longstr'",
            Difference("queue", "a b", "x-overflow", "not set", "drop-head"),
        ),
        (
            "'type' for exchange 'e' in vhost '/': received 'topic' but current is 'fanout'",
            Difference("exchange", "e", "type", "topic", "fanout"),
        ),
        (
            "'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'",
            Difference("queue", "q", "durable", "true", "false"),
        ),
    ],
)
def test_refusal_names_argument_and_both_values(reply: str, expected: Difference) -> None:
    """The broker's sentence becomes data."""
    assert difference_in(IN_FRONT + reply) == expected


def test_other_refusal_is_no_difference() -> None:
    """What cannot be read is left in the broker's words."""
    assert difference_in("PRECONDITION_FAILED - invalid arg 'x-overflow' for queue 'q'") is None


def test_difference_that_could_lose_dead_letters_says_so() -> None:
    """At most once in place of at least once is no matter of taste."""
    difference = Difference("queue", "q", "x-dead-letter-strategy", "at-least-once", "not set")
    told = "queue q: x-dead-letter-strategy is not set on the broker, at-least-once here."
    assert str(difference) == f"{told} So its dead letters could get lost."


def test_finding_says_what_it_is_and_what_to_do() -> None:
    """Missing: apply. Differs: empty, delete, apply. Present: nothing."""
    assert Finding(Queue("q"), State.MISSING).cure == "saga topology apply declares it"
    assert Finding(Queue("q"), State.DIFFERS).cure == "empty it, delete it (rabbitmqctl delete_queue q), apply again"
    assert Finding(Exchange("e", "topic"), State.DIFFERS).cure == "empty it, delete it, apply again"
    assert Finding(Queue("q"), State.PRESENT).cure == ""
    assert Finding(Binding("e", "q", routing_key="a.*"), State.UNKNOWN).to_json() == {
        "kind": "binding",
        "name": "e -> q (a.*)",
        "state": "unknown",
    }


def test_what_cannot_be_told_is_no_disagreement() -> None:
    """A binding cannot be asked for; only missing and differing parts count."""
    present, unknown = Finding(Queue("q"), State.PRESENT), Finding(Binding("e", "q"), State.UNKNOWN)
    assert agrees((present, unknown))
    assert not agrees((present, Finding(Queue("r"), State.MISSING)))
