"""Approvals, messages, timers, children."""

import pytest

from contracts.json import Json
from tests.workflows.engine.runs import begun
from workflows.engine.commands import StartActivity, StartChild, UpsertAttributes
from workflows.engine.events import Decision
from workflows.engine.view import approvals, details, refusal

REVIEW = """
steps:
  - id: review
    type: approval
    title: "Allow ${ input.name }?"
    show: {cost: 5}
    approvers: [role:security, user:alice, user:bob]
    quorum: 2
    form: {type: object, properties: {budget: {type: number}}}
    timeout: 72h
    remind: {every: 24h, emit: approval.reminder}
    escalate: {after: 48h, approvers: [user:boss]}
  - {id: after, action: do, with: {data: "${ steps.review.output.data }"}}
"""


def test_approval_needs_its_quorum() -> None:
    """N of M; the data of all who approved comes together."""
    run = begun(REVIEW, {"name": "x"})
    assert run.timers == {"review/timeout": 259200.0, "review/remind": 86400.0, "review/escalate": 172800.0}
    assert run.decide("review", "user:alice", data={"budget": 5}).started == []
    assert run.decide("review", "carol", roles=("security",)).args == {"after": {"data": {"budget": 5}}}
    assert run.state.records["review"].detail == "Approved by user:alice; carol."


def test_waiting_approval_can_be_seen() -> None:
    """Title, what to show, who may decide; the run is `waiting`."""
    run = begun(REVIEW, {"name": "x"})
    (pending,) = approvals(run.plan, run.state)
    assert (pending["step"], pending["title"], pending["show"]) == ("review", "Allow x?", {"cost": 5})
    assert UpsertAttributes({"SagaStatus": "waiting"}) in run.last
    assert "Allow x?" in details(run.plan, run.state)


def test_rejection_fails_the_run_with_who_and_why() -> None:
    """One rejection rejects unless `reject_quorum` says otherwise."""
    problem = begun(REVIEW, {"name": "x"}).decide("review", "alice", approved=False, comment="too dear").problem
    assert problem.type == "rejected"
    assert "alice: too dear" in problem.detail


def test_bad_decisions_are_refused_with_the_reason() -> None:
    """Not an approver, twice, a form that does not fit, a step that does not wait, an unknown step."""
    run = begun(REVIEW, {"name": "x"}).decide("review", "user:alice")

    def why(step: str, approver: str, data: object = None) -> str:
        problem = refusal(run.plan, run.state, Decision(0, step, True, approver, data=data))  # type: ignore[arg-type]  # wrong on purpose
        assert problem is not None
        return problem.title

    assert why("review", "mallory") == "Not an approver"
    assert why("review", "user:alice") == "Already decided"
    assert why("review", "bob", {"budget": "much"}) == "The form is not filled in right"
    assert why("after", "bob") == "No such approval"
    assert refusal(run.plan, run.state, Decision(0, "review", True, "bob")) is None


def test_refused_signal_is_kept_on_record() -> None:
    """A signal cannot be answered, so the refusal is written down where people look."""
    run = begun(REVIEW, {"name": "x"}).decide("review", "mallory")
    (pending,) = approvals(run.plan, run.state)
    assert "mallory may not decide" in str(pending["refused"])


def test_reminder_is_published_and_repeats() -> None:
    """Nobody waits for a reminder; the next one is set."""
    run = begun(REVIEW, {"name": "x"}).fired("review/remind", 86400)
    (command,) = run.asked(StartActivity)
    assert (command.action, run.timers) == ("event.publish", {"review/remind": 86400.0})


@pytest.mark.parametrize(
    ("keys", "timers"),
    [
        ("timeout: 72h, remind: {every: 72h, emit: a.b}", {"ask/timeout"}),
        ("timeout: 72h, remind: {every: 71h, emit: a.b}", {"ask/timeout", "ask/remind"}),
        ("remind: {every: 72h, emit: a.b}", {"ask/remind"}),
        ("timeout: 1h, escalate: {after: 1h, approvers: [a]}", {"ask/timeout"}),
        ("timeout: 1h, escalate: {after: 59m, approvers: [a]}", {"ask/timeout", "ask/escalate"}),
    ],
)
def test_timers_that_the_time_out_forestalls_are_not_started(keys: str, timers: set[str]) -> None:
    """A reminder that falls due with the time-out is for nobody."""
    asking = f"steps:\n  - {{id: ask, type: approval, title: Well?, {keys}}}\n"
    assert set(begun(asking, {}).timers) == timers


def test_last_reminder_is_the_one_before_the_time_out() -> None:
    """Every day for three days are two reminders."""
    run = begun(REVIEW, {"name": "x"}).fired("review/remind", 86400)
    run.fired("review/remind", 86400)
    assert run.timers == {}


def test_escalation_lets_more_people_decide() -> None:
    """Before: refused; after: counted."""
    run = begun(REVIEW, {"name": "x"})
    boss = Decision(0, "review", True, "user:boss")
    assert refusal(run.plan, run.state, boss) is not None
    run.fired("review/escalate", 172800)
    assert refusal(run.plan, run.state, boss) is None


def test_approval_timeout_rejects_by_default() -> None:
    """Silence is no consent."""
    assert begun(REVIEW, {"name": "x"}).fired("review/timeout", 259200).problem.type == "rejected"


def test_approval_timeout_can_approve_fail_or_go_elsewhere() -> None:
    """`on_timeout` and `on_reject` name what follows."""
    text = """
        steps:
          - {{id: ask, type: approval, title: Go?, timeout: 1h, on_timeout: {then}, on_reject: no}}
          - {{id: after, action: do}}
          - {{id: no, action: do}}
        """
    assert begun(text.format(then="approve")).fired("ask/timeout", 3600).started == ["after"]
    assert begun(text.format(then="fail")).fired("ask/timeout", 3600).problem.type == "timeout"
    assert begun(text.format(then="no")).fired("ask/timeout", 3600).started == ["no"]
    assert begun(text.format(then="reject")).fired("ask/timeout", 3600).started == ["no"]


def test_decision_that_came_early_counts() -> None:
    """Kept until the approval waits."""
    run = begun("steps: [{id: a, action: do}, {id: ask, type: approval, title: Go?}, {id: b, action: do}]")
    run.decide("ask", "alice")
    assert run.done("a").started == ["b"]


RECEIVE = """
steps:
  - {id: a, action: do}
  - {id: paid, type: receive, signal: paid, match: "event.data.order == input.order", timeout: 1h, on_timeout: ON}
  - {id: b, action: do, with: {got: "${ steps.paid.output }"}}
  - {id: late, action: do}
"""


def test_receive_takes_what_came_early_and_leaves_the_rest() -> None:
    """The mailbox keeps what nobody wanted yet."""
    run = begun(RECEIVE.replace("ON", "fail"), {"order": 1})
    run.message("paid", {"order": 2}).message("other", 0).message("paid", {"order": 1})
    assert run.done("a").args == {"b": {"got": {"order": 1}}}
    assert [entry["data"] for entry in run.state.mailbox] == [{"order": 2}, 0]


def test_receive_drops_a_repeated_message() -> None:
    """The same id is applied once."""
    run = begun("steps: [{id: two, type: receive, signal: tick, count: 2}]")
    run.message("tick", 1, message_id="m1").message("tick", 1, message_id="m1")
    assert run.state.phase == "running"
    assert run.message("tick", 2, message_id="m2").result == [1, 2]


def test_receive_waits_for_events_by_topic() -> None:
    """An event is matched by its type; the output is the envelope."""
    run = begun("steps: [{id: got, type: receive, event: 'order.*'}]")
    run.message("order", 1, event={"type": "stock.low", "data": 1})
    event = {"type": "order.paid", "data": {"n": 1}}
    assert run.message("order", 1, event=event).result == event


def test_receive_timeout_does_what_the_author_said() -> None:
    """Fail, go on, or go elsewhere."""
    wait: dict[str, Json] = {"order": 1}
    assert begun(RECEIVE.replace("ON", "fail"), wait).done("a").fired("paid/timeout", 3600).problem.type == "timeout"
    run = begun(RECEIVE.replace("ON", "continue"), wait).done("a").fired("paid/timeout", 3600)
    assert run.args == {"b": {"got": None}}
    assert begun(RECEIVE.replace("ON", "late"), wait).done("a").fired("paid/timeout", 3600).started == ["late"]


def test_wait_is_a_timer_and_what_is_past_costs_none() -> None:
    """`for` and `until`."""
    assert begun("steps: [{id: w, type: wait, for: 90s}]").timers == {"w": 90.0}
    assert begun("steps: [{id: w, type: wait, until: '2001-01-01T00:00:00Z'}]").result is None
    run = begun("steps: [{id: w, type: wait, until: '${ input.at }'}]", {"at": "tomorrow"})
    assert "no moment" in run.problem.detail


def test_child_is_started_with_key_and_can_be_left_alone() -> None:
    """`workflow`: the other definition by id, its key, whether to wait."""
    text = 'steps: [{id: c, type: workflow, workflow: test, key: "${ input.k }", wait: false, input: {n: 1}}]'
    (child,) = begun(text, {"k": 5}).asked(StartChild)
    assert (child.workflow, child.key, child.wait, child.input) == ("test", "5", False, {"n": 1})


def test_correlation_is_published_while_a_receive_waits() -> None:
    """A search attribute tells the bridge who waits for what; it is taken back afterwards."""
    run = begun(
        "steps: [{id: r, type: receive, signal: x, correlate: {order: '${ input.o }'}}, {id: b, action: do}]", {"o": 3}
    )
    assert UpsertAttributes({"SagaStatus": "waiting", "SagaCorrelation": ["order=3"]}) in run.last
    run.message("x")
    assert UpsertAttributes({"SagaStatus": "running", "SagaCorrelation": []}) in run.last


def test_early_decisions_beyond_the_quorum_decide_nothing_more() -> None:
    """The step behind an approval that was decided early starts once."""
    run = begun("steps: [{id: a, action: do}, {id: ok, type: approval}, {id: b, action: do}, {id: c, action: do}]")
    run.decide("ok", "alice").decide("ok", "bob").done("a")
    assert run.started == ["b"]
    assert run.done("b").started == ["c"]


def test_title_is_written_as_json() -> None:
    """A question that holds more than text is shown as in any other text."""
    run = begun("steps: [{id: ok, type: approval, title: '${ input }'}]", {"a": True, "b": None})
    assert run.state.waits["ok"].title == '{"a":true,"b":null}'


def test_who_had_decided_is_kept_when_the_time_is_up() -> None:
    """A time-out that leads to a step keeps the decisions so far."""
    text = """
    steps:
      - {id: ok, type: approval, quorum: 2, timeout: 1h, on_timeout: late}
      - {id: late, action: do, with: {was: "${ steps.ok.status }", who: "${ steps.ok.output.decisions[0].approver }"}}
    """
    run = begun(text).decide("ok", "alice").fired("ok/timeout", 3600)
    assert run.args == {"late": {"was": "timed-out", "who": "alice"}}


def test_messages_are_kept_when_the_time_is_up() -> None:
    """A time-out that leads to a step keeps what came."""
    text = """
    steps:
      - {id: got, type: receive, signal: s, count: 2, timeout: 1h, on_timeout: late}
      - {id: late, action: do, with: {so: "${ steps.got.output }"}}
    """
    assert begun(text).message("s", 1).fired("got/timeout", 3600).args == {"late": {"so": [1]}}
