"""Signals and updates as events of the engine."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.json import Json
from workflows.engine.events import Decision, Message
from workflows.temporal.messages import DecisionRefusedError, decided, signalled

EVENT: dict[str, Json] = {"id": "e-1", "type": "paid", "data": {"n": 1}}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], Message(5, "go", None)),
        ([{"n": 1}], Message(5, "go", {"n": 1})),
        ([1, {"event": EVENT, "message_id": "m-1"}], Message(5, "go", 1, EVENT, "m-1")),
        ([1, {"event": "odd", "message_id": 7}], Message(5, "go", 1)),
        ([1, "odd", 3], Message(5, "go", 1)),
    ],
)
def test_signal_becomes_a_message(values: list[Any], message: Message) -> None:
    """A signal of any form is taken; what the bridge adds is read when it has the right form."""
    assert signalled("go", values, 5) == message


def test_approve_signal_becomes_a_decision() -> None:
    """`approve` carries step, approver, roles, comment and data."""
    data = {"step": "a", "approver": "alice", "roles": ["boss", 5], "comment": "ok", "data": {"n": 1}}
    expected = Decision(5, "a", True, "alice", ("boss",), "ok", {"n": 1}, "signal")
    assert signalled("approve", [data], 5) == expected


def test_reject_signal_made_of_an_event_says_so() -> None:
    """A decision that the bridge delivers says that it came by event, and has its id."""
    decision = signalled("reject", [{"step": "a", "approver": "alice"}, {"event": EVENT, "message_id": "m-1"}], 5)
    assert decision == Decision(5, "a", False, "alice", via="event", message_id="m-1")


@pytest.mark.parametrize("data", [None, 5, "text", ["a"], {"step": 1, "approver": None, "roles": "boss", "comment": 2}])
def test_malformed_decision_signal_names_nobody(data: Any) -> None:
    """What cannot be read is left empty, so that the engine refuses it."""
    decision = signalled("approve", [data], 5)
    assert isinstance(decision, Decision)
    assert (decision.step, decision.approver, decision.roles, decision.comment) == ("", "", (), "")


def test_update_becomes_a_decision() -> None:
    """The update's one argument is the decision."""
    given = {"step": "a", "decision": "reject", "approver": "alice", "comment": "no"}
    assert decided([given], 5) == Decision(5, "a", False, "alice", comment="no", via="update")


@pytest.mark.parametrize("values", [[], [{}, {}], [5], [{"step": "a", "decision": "approve", "approver": 7}]])
def test_update_of_another_form_is_refused_with_the_right_one(values: list[Any]) -> None:
    """The person is shown what the update takes."""
    with pytest.raises(DecisionRefusedError, match='"decision": "approve" or "reject"'):
        decided(values, 5)
