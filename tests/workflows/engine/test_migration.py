"""May a run in this state go on with that plan?"""

from __future__ import annotations

import pytest

from tests.workflows.engine.runs import Run, begun, plan_of
from workflows.engine.commands import ContinueAsNew, StartActivity, StartTimer, UpsertAttributes
from workflows.engine.events import Continued, Migrated
from workflows.engine.migration import misfits
from workflows.language.plan import Plan

OLD = """
steps:
  - {id: pay, action: do, compensate: {action: undo}}
  - {id: review, type: approval, title: Fine?, quorum: 2, timeout: 1h, remind: {every: 10m, emit: a.b}}
  - {id: send, action: do}
"""


def newer(text: str) -> Plan:
    """Compile the next version."""
    return plan_of("id: test\nversion: 2.0.0\n" + text)


def waiting() -> Run:
    """A run of `OLD` that waits for its approval."""
    return begun(OLD).done("pay", {"id": 7})


def reasons(run: Run, text: str) -> list[str]:
    """Return what does not fit."""
    return [str(each) for each in misfits(run.plan, newer(text), run.state)]


def test_waiting_run_moves_and_goes_on_by_the_new_plan() -> None:
    """Its state is carried over to a new execution with the new pin; timers and compensations come along."""
    run = waiting()
    plan = newer(OLD.replace("{id: send, action: do}", "{id: tell, action: other}"))
    assert misfits(run.plan, plan, run.state) == ()
    run.plan = plan
    run.give(Migrated(run.at, plan.version, plan.digest))
    assert run.last == [UpsertAttributes({"SagaVersion": f"2.0.0+{plan.digest[:8]}"}), ContinueAsNew()]
    assert (run.state.version, run.state.digest) == (plan.version, plan.digest)
    run.give(Continued(run.at))
    assert {command.id for command in run.asked(StartTimer)} == {"review/timeout", "review/remind"}
    run.decide("review", "a").decide("review", "b")
    assert [each.action for each in run.asked(StartActivity)] == ["other"]
    assert [armed.path for armed in run.state.armed] == ["pay"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("id: review", "id: check", "review: It stands at this step, which 2.0.0 does not have."),
        ("type: approval, title: Fine?, quorum: 2, timeout: 1h, remind: {every: 10m, emit: a.b}", "action: do", "type"),
        (", compensate: {action: undo}", "", "pay: It has to be undone by undo, and 2.0.0 does not say so."),
        ("undo}", "other}", "pay: It has to be undone by undo"),
        (", remind: {every: 10m, emit: a.b}", "", "review: A timer runs for its `remind`"),
        (", timeout: 1h", "", "review: A timer runs for its `timeout`"),
        ("quorum: 2", "quorum: 1", "review: The decisions that it has got would end it"),
        ("steps:", "input: {required: [name]}\nsteps:", "Its input does not fit 2.0.0"),
    ],
)
def test_what_does_not_fit_is_told(old: str, new: str, reason: str) -> None:
    """Each promise that the new plan would break is a reason."""
    assert old in OLD
    (found,) = reasons(waiting().decide("review", "a"), OLD.replace(old, new))
    assert reason in found


def test_results_that_the_run_has_gone_past_are_missed() -> None:
    """A new step before the place is not carried out any more, so nothing after it may need it."""
    passed = OLD.replace("  - {id: review", "  - {id: rate, action: do}\n  - {id: review")
    assert reasons(waiting(), passed) == []
    using = passed.replace("{id: send, action: do}", '{id: send, action: do, with: {x: "${ steps.rate.output }"}}')
    (found,) = reasons(waiting(), using)
    assert "send: This step needs the result of `rate`, which the run has gone past" in found
    result = passed + 'output: "${ steps.rate.output }"\n'
    assert "This output needs the result of `rate`" in reasons(waiting(), result)[0]
    later = OLD + '  - {id: rate, action: do}\n  - {id: tell, action: do, with: {x: "${ steps.rate.output }"}}\n'
    assert reasons(waiting(), later) == []


def test_result_of_another_action_is_refused() -> None:
    """What a step gave under the old action is not what the new one would have given."""
    text = OLD.replace("{id: pay, action: do,", "{id: pay, action: other,")
    text = text.replace("{id: send, action: do}", '{id: send, action: do, with: {x: "${ steps.pay.output }"}}')
    (found,) = reasons(waiting(), text)
    assert "needs the result of `pay`, which did something else in 1.0.0" in found


def test_run_in_the_middle_of_something_does_not_move() -> None:
    """An action in flight, a rollback and an end are told; so is the version that it follows."""
    run = begun(OLD)
    assert "pay: The action is in flight" in reasons(run, OLD)[0]
    assert "It follows version 1.0.0 already." in str(misfits(run.plan, run.plan, run.state)[0])
    run.failed("pay")
    assert reasons(run, OLD) == ["It has ended."]
    undone = waiting().decide("review", "a", approved=False)
    assert "It is being undone" in reasons(undone, OLD)[0]


BLOCKS = """
steps:
  - id: both
    type: parallel
    branches:
      left: [{id: ask, type: receive, signal: go}, {id: l2, action: do}]
      right: [{id: rest, type: wait, for: 1h}]
  - id: each
    type: foreach
    items: [1]
    as: one
    steps: [{id: look, action: do}]
"""
LOOP = """
steps:
  - id: again
    type: repeat
    max: 5
    until: has(steps.ask.output.last)
    steps:
      - {id: ask, type: receive, signal: go}
      - {id: use, action: do, with: {x: "${ steps.ask.output }"}}
"""
TRIED = """
steps:
  - id: guarded
    type: try
    steps: [{id: ask, type: receive, signal: go}]
    catch:
      - {as: problem, steps: [{id: mend, action: do}]}
"""


@pytest.mark.parametrize(
    ("text", "old", "new", "reason"),
    [
        (BLOCKS, "{id: l2, action: do}", "{id: l3, action: other}", None),
        (BLOCKS, "left:", "other:", "both: Its branches are other ones in 2.0.0."),
        (BLOCKS, "signal: go", "signal: come", "waits for the signal `go`, and 2.0.0 waits for the signal `come`"),
        (BLOCKS, "{id: rest, type: wait, for: 1h}", "{id: rest, type: wait, for: 5h}", None),
        (BLOCKS, "as: one", "as: two", None),
        (LOOP, "max: 5", "max: 9", None),
        (LOOP, "max: 5", "max: 5\n    index: round", "again: Its rounds are counted under another name"),
        (LOOP, "      - {id: ask", "      - {id: new, action: do}\n      - {id: ask", None),
        (TRIED, "{id: mend, action: do}", "{id: mend, action: other}", None),
        (TRIED, "as: problem", "as: trouble", "guarded: Its catches are other ones"),
        (TRIED, "[{id: ask, type: receive, signal: go}]", "[{id: other, action: do}]", "ask: It stands at this step"),
    ],
)
def test_places_inside_blocks_are_compared(text: str, old: str, new: str, reason: str | None) -> None:
    """A path inside a block stands in the same part of the same block, or the run stays."""
    run = begun(text)
    assert old in text
    found = reasons(run, text.replace(old, new))
    assert len(found) == (0 if reason is None else 1), found
    assert reason is None or reason in found[0]


def test_step_that_is_in_another_block_is_no_place_to_stand() -> None:
    """The id alone is not enough."""
    ask = "{id: ask, type: receive, signal: go}"
    outside = TRIED.replace(f"[{ask}]", "[{id: before, action: do}]") + f"  - {ask}\n"
    found = reasons(begun(TRIED), outside)
    assert any("ask: It stands at this step, which is in another place" in each for each in found)


def test_round_that_has_passed_a_new_step_cannot_use_it() -> None:
    """The next round could, this one could not."""
    new = LOOP.replace("      - {id: ask", "      - {id: new, action: do}\n      - {id: ask").replace(
        "steps.ask.output }", "steps.new.output }"
    )
    (found,) = reasons(begun(LOOP), new)
    assert "use: This step needs the result of `new`" in found
