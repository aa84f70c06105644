"""From where a run that failed goes on: one situation a test."""

from __future__ import annotations

import json

import pytest

from contracts.json import Json
from contracts.problems import Problem
from tests.workflows.engine.runs import Run, plan_of
from workflows.engine.commands import StartActivity
from workflows.engine.events import CancelRequested, Done, Event, Failed, Resumed, RunInfo
from workflows.engine.past import Segment
from workflows.engine.redriving import CannotResumeError, Resumption, redriven, rolled_back
from workflows.engine.resuming import misfits
from workflows.engine.serial import state_from_json, state_to_json

PLAIN = """
saga: {on: []}
steps:
  - {id: a, action: do}
  - {id: b, action: do}
  - {id: c, action: do}
"""
UNDOING = """
steps:
  - {id: a, action: do}
  - {id: b, action: do, compensate: {action: undo}}
  - {id: c, action: do, compensate: {action: undo}}
  - {id: d, action: do}
"""
LOOP = """
saga: {on: []}
steps:
  - {id: all, type: foreach, items: [1, 2], steps: [{id: one, action: do}]}
"""
BRANCHES = """
saga: {on: []}
steps:
  - id: all
    type: parallel
    branches:
      left: [{id: l1, action: do}, {id: l2, action: do}]
      right: [{id: r1, action: do}]
  - {id: last, action: do}
"""


class Recorded(Run):
    """A run that keeps what happened to it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.events: list[Event] = []

    def give(self, event: Event) -> Recorded:
        self.events.append(event)
        super().give(event)
        return self

    def redriven(self, step: str | None = None) -> Resumption:
        return redriven([Segment(self.plan, self.events)], step)


def recorded(text: str, given: Json = None) -> Recorded:
    """Compile a definition and begin a run of it."""
    run = Recorded(plan_of(text), {} if given is None else given)
    run.begin()
    return run


def resumed(text: str, resumption: Resumption, after: float = 0) -> Run:
    """Go on under a definition, `after` seconds later."""
    run = Run(plan_of(text))
    run.state = state_from_json(json.loads(json.dumps(state_to_json(resumption.state))))
    run.at = resumption.since + round(after * 1000)
    landed = json.loads(json.dumps(resumption.landed))
    return run.give(Resumed(run.at, RunInfo("r2", "test/k1", "k1"), resumption.since, tuple(landed)))


def keys(run: Run) -> dict[str, str]:
    """Idempotency keys of the activities that the last event started."""
    return {command.id: command.context.idempotency_key for command in run.asked(StartActivity)}


def test_failed_step_is_entered_anew() -> None:
    """The steps before keep their results; the failed one has a new key and the mended arguments."""
    run = recorded(PLAIN)
    run.done("a", {"n": 1}).failed("b")
    mended = PLAIN.replace("id: b, action: do", "id: b, action: other, with: {n: '${ steps.a.output.n }'}")
    again = resumed(mended, run.redriven())
    assert (again.started, again.args, keys(again)) == (["b"], {"b": {"n": 1}}, {"b": "r2/b"})
    again.done("b").done("c", "over")
    assert again.result == "over"


def test_unknown_outcome_keeps_its_key() -> None:
    """What may have been carried out is started with the key by which a service recognises it."""
    run = recorded(PLAIN)
    run.done("a").failed("b", outcome="unknown")
    assert keys(resumed(PLAIN, run.redriven())) == {"b": "r1/b"}


def test_run_keeps_its_name_for_expressions() -> None:
    """`run.id` and `run.started_at` stay those of the first run, also when it is redriven twice."""
    text = PLAIN.replace("id: b, action: do", "id: b, action: do, with: {of: '${ run.id }', at: '${ run.started_at }'}")
    run = recorded(text)
    first = run.done("a").args["b"]
    run.failed("b")
    again = resumed(text, run.redriven(), after=60)
    assert again.args["b"] == first
    assert again.state.run["id"] == "r2"


def test_inline_failure_hands_the_result_over() -> None:
    """Where what follows a step fails at once, the step is not repeated; the mended version goes on behind it."""
    text = PLAIN.replace("id: b, action: do", "id: b, action: do, with: {n: '${ int(steps.a.output) }'}")
    run = recorded(text)
    run.done("a", "none")
    resumption = run.redriven()
    assert (resumption.again, len(resumption.landed)) == ((), 1)
    again = resumed(PLAIN, resumption)
    assert again.started == ["b"]


def test_run_that_failed_at_once_begins_anew() -> None:
    """Where even the first step could not begin, nothing is kept but the input and the name."""
    text = PLAIN.replace("id: a, action: do", "id: a, action: do, with: {n: '${ int(input.n) }'}")
    run = recorded(text, {"n": "none"})
    again = resumed(PLAIN, run.redriven())
    assert (again.started, again.state.input) == (["a"], {"n": "none"})
    assert again.state.run["origin"] == {"id": "r1", "started_at": run.at}


def test_other_branches_keep_what_they_did() -> None:
    """What was done before and after the failure stays; what was cancelled is started anew."""
    run = recorded(BRANCHES)
    run.done("l1").failed("r1").failed("l2", "cancelled", "unknown")
    again = resumed(BRANCHES, run.redriven())
    assert keys(again) == {"l2": "r1/l2", "r1": "r2/r1"}
    again.done("l2").done("r1")
    assert again.started == ["last"]


def test_result_that_came_while_the_run_failed_is_kept() -> None:
    """A branch that had its effect although it was cancelled is done."""
    run = recorded(BRANCHES)
    run.failed("r1").done("l1")
    again = resumed(BRANCHES, run.redriven())
    assert again.started == ["r1", "l2"] or sorted(again.started) == ["l2", "r1"]


def test_branches_that_others_did_not_stop_go_on_meanwhile() -> None:
    """With `on_branch_error: finish` the trouble began long before the end; all that came since is kept."""
    text = BRANCHES.replace("type: parallel", "type: parallel\n    on_branch_error: finish")
    run = recorded(text)
    run.failed("r1").done("l1").done("l2")
    assert run.state.status == "failed"
    assert resumed(text, run.redriven()).started == ["r1"]


def test_compensated_run_begins_at_the_first_step_undone() -> None:
    """What was undone is done again with new keys; what came before it stays."""
    run = recorded(UNDOING)
    run.done("a").done("b").done("c").failed("d")
    run.done("c/compensate").done("b/compensate")
    again = resumed(UNDOING, run.redriven())
    assert (keys(again), again.state.undone, again.state.armed) == ({"b": "r2/b"}, [], [])
    again.done("b")
    assert keys(again) == {"c": "r2/c"}


def test_cancelled_run_goes_on_where_it_stood() -> None:
    """A cancel request is left out like a failure."""
    run = recorded(PLAIN)
    run.done("a").give(CancelRequested(run.at, "stop")).failed("b", "cancelled", "unknown")
    assert run.state.status == "cancelled"
    assert keys(resumed(PLAIN, run.redriven())) == {"b": "r1/b"}


def test_terminated_run_goes_on_where_it_stood() -> None:
    """A run that Temporal stopped has no end of its own; what was in flight may have been carried out."""
    run = recorded(PLAIN)
    run.done("a")
    assert keys(resumed(PLAIN, run.redriven())) == {"b": "r1/b"}


def test_timed_out_run_has_all_its_time_again() -> None:
    """The run's own timer starts anew; a step's, which had not come, has what it had left."""
    text = "timeout: 10m\n" + PLAIN.replace("{id: b, action: do}", "{id: b, type: receive, signal: go, timeout: 1h}")
    run = recorded(text)
    run.done("a").fired("run/timeout", 600)
    assert run.state.status == "timed-out"
    again = resumed(text, run.redriven(), after=86_400)
    assert again.timers == {"run/timeout": 600.0, "b/timeout": 3600.0}


def test_time_out_of_a_step_is_asked_for_again() -> None:
    """A receive that waited too long waits again, its whole time."""
    text = PLAIN.replace("{id: b, action: do}", "{id: b, type: receive, signal: go, timeout: 1h}")
    run = recorded(text)
    run.done("a").fired("b/timeout", 3600)
    assert run.state.status == "failed"
    again = resumed(text, run.redriven(), after=10)
    assert (again.timers, list(again.state.waits)) == ({"b/timeout": 3600.0}, ["b"])
    assert again.message("go", 1).started == ["c"]


def test_messages_are_not_lost() -> None:
    """What came while the run failed waits in the mailbox of the new one; its id is still known."""
    text = PLAIN.replace("{id: c, action: do}", "{id: c, type: receive, signal: go}")
    run = recorded(text)
    run.done("a").message("go", 7, message_id="m1").failed("b")
    again = resumed(text, run.redriven())
    again.message("go", 8, message_id="m1")
    assert again.done("b").result == 7


def test_from_a_step_drops_what_came_later() -> None:
    """Its own result and later ones go; their keys stay, because their effects do."""
    run = recorded(PLAIN)
    run.done("a").done("b").failed("c")
    again = resumed(PLAIN, run.redriven("b"))
    assert keys(again) == {"b": "r1/b"}
    assert keys(again.done("b")) == {"c": "r2/c"}
    assert resumed(PLAIN, run.redriven("a")).started == ["a"]


def test_dropped_step_stays_armed_once() -> None:
    """The effect of a step that is done again is undone once, whether the new run comes to it or not."""
    text = UNDOING.replace("steps:", "saga: {on: [cancel]}\nsteps:")
    run = recorded(text)
    run.done("a").done("b").done("c").failed("d")
    again = resumed(text, run.redriven("b"))
    assert [entry.path for entry in again.state.armed] == ["b", "c"]
    again.done("b")
    assert [entry.path for entry in again.state.armed] == ["c", "b"]


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("nowhere", "has not reached a step `nowhere`. It has reached: `a`, `b`, `c`, `d`."),
        ("c", "`b`, done before that step, was undone: begin there or earlier."),
    ],
)
def test_from_a_step_is_refused(step: str, reason: str) -> None:
    """A step that was not reached, or behind one that was undone."""
    run = recorded(UNDOING)
    run.done("a").done("b").done("c").failed("d")
    run.done("c/compensate").done("b/compensate")
    with pytest.raises(CannotResumeError) as caught:
        run.redriven(step)
    assert str(caught.value).endswith(reason)


def test_from_a_step_behind_what_an_earlier_run_undid_is_refused() -> None:
    """The past reaches back through all runs: what a run undid and the next one did not do again is not done."""
    run = recorded(UNDOING)
    run.done("a").done("b").done("c").failed("d").done("c/compensate").done("b/compensate")
    first = Segment(run.plan, run.events)
    resumption = redriven([first])
    event = Resumed(run.at, RunInfo("r2", "test/k1", "k1"), resumption.since)
    events: list[Event] = [event, Failed(run.at, "b", Problem("broken", "broken"))]
    past = [first, Segment(run.plan, events, state_to_json(resumption.state))]
    with pytest.raises(CannotResumeError, match="`b`, done before that step, was undone"):
        redriven(past, "c")
    again = resumed(UNDOING, redriven(past))
    assert (again.started, again.state.run["origin"]) == (["b"], {"id": "r1", "started_at": run.at})
    from_a = resumed(UNDOING, redriven(past, "a"))
    assert keys(from_a) == {"a": "r1/a"}
    assert keys(from_a.done("a")) == {"b": "r2/b"}  # its effect of the first run was undone


def test_from_a_step_of_many_paths_is_refused() -> None:
    """A step of a loop is named by its path."""
    run = recorded(LOOP)
    run.done("all[0]/one").failed("all[1]/one")
    with pytest.raises(CannotResumeError, match="more than once: name one of `all\\[0\\]/one`, `all\\[1\\]/one`"):
        run.redriven("one")
    assert resumed(LOOP, run.redriven("all[1]/one")).started == ["all[1]/one"]


def test_batch_that_failed_is_done_again() -> None:
    """A batch is a run of its own; those that were done keep their results."""
    text = LOOP.replace("items: [1, 2]", "items: [1, 2, 3, 4], batch: 2")
    run = recorded(text)
    run.give(Done(run.at, "all[0-1]", ["x", "y"])).failed("all[2-3]")
    again = resumed(text, run.redriven())
    assert again.started == ["all[2-3]"]
    assert again.done("all[2-3]", ["z", "w"]).result == ["x", "y", "z", "w"]


def test_good_runs_and_open_rollbacks_are_refused() -> None:
    """Nothing is to be done again, or the rollback comes first."""
    run = recorded(PLAIN)
    run.done("a").done("b").done("c")
    with pytest.raises(CannotResumeError, match="is completed: there is nothing to do again"):
        run.redriven()
    open_run = recorded(UNDOING)
    open_run.done("a").done("b").failed("c").failed("b/compensate")
    assert open_run.state.status == "rollback-incomplete"
    with pytest.raises(CannotResumeError, match=r"not complete \(b\): finish it with `saga compensate test/k1`"):
        open_run.redriven()


def test_rollback_goes_on_with_what_was_left() -> None:
    """In the order of the first time, with arguments and keys as they were; the report tells no arguments."""
    text = UNDOING.replace("{action: undo}", "{action: undo, with: {secret: 1}}")
    run = recorded(text)
    run.done("a").done("b").done("c").failed("d")
    run.failed("c/compensate").failed("b/compensate")
    assert "secret" not in json.dumps(run.problem.to_json())
    again = resumed(text, rolled_back([Segment(run.plan, run.events)]))
    [undo] = again.asked(StartActivity)
    assert (undo.id, undo.args, undo.context.undoes) == ("c/compensate", {"secret": 1}, "r1/c")
    again.done("c/compensate").failed("b/compensate")
    assert (again.state.status, again.state.undone) == ("rollback-incomplete", ["c"])
    assert [entry.path for entry in again.state.remaining] == ["b"]


def test_rollback_that_was_terminated_is_finished() -> None:
    """What was under way and what had not begun are both undone."""
    run = recorded(UNDOING)
    run.done("a").done("b").done("c").failed("d")
    again = resumed(UNDOING, rolled_back([Segment(run.plan, run.events)]))
    assert again.started == ["c/compensate"]
    assert again.done("c/compensate").started == ["b/compensate"]
    assert again.done("b/compensate").problem.extensions["undone"] == ["c", "b"]


@pytest.mark.parametrize("text", [UNDOING, UNDOING.replace("steps:", "saga: {on: []}\nsteps:", 1)])
def test_run_that_was_terminated_at_work_is_undone(text: str) -> None:
    """What was done and what was in flight, whose outcome nobody knows, in reverse order; whatever `saga.on` says."""
    run = recorded(text)
    run.done("a").done("b")
    again = resumed(text, rolled_back([Segment(run.plan, run.events)]))
    assert again.started == ["c/compensate"]
    assert again.done("c/compensate").started == ["b/compensate"]
    assert again.done("b/compensate").state.status == "compensated"
    assert again.problem.title == "The run was terminated"


def test_run_that_was_terminated_while_it_waited_is_undone() -> None:
    """Nothing is in flight; what waited is dropped with its timers."""
    text = UNDOING.replace("{id: d, action: do}", "{id: d, type: receive, signal: go, timeout: 1h}")
    run = recorded(text)
    run.done("a").done("b").done("c")
    again = resumed(text, rolled_back([Segment(run.plan, run.events)]))
    assert (again.started, again.timers, again.state.waits) == (["c/compensate"], {}, {})
    again.done("c/compensate").done("b/compensate")
    assert (again.state.status, again.state.undone) == ("compensated", ["c", "b"])


def test_batch_that_was_terminated_with_its_run_is_left_to_people() -> None:
    """What it had done is not known here, and that is told."""
    text = """
steps:
  - {id: a, action: do, compensate: {action: undo}}
  - {id: all, type: foreach, items: [1, 2], batch: 1, steps: [{id: one, action: do, compensate: {action: undo}}]}
"""
    run = recorded(text)
    run.done("a")
    again = resumed(text, rolled_back([Segment(run.plan, run.events)]))
    again.done("a/compensate")
    assert again.state.status == "rollback-incomplete"
    assert [entry["step"] for entry in again.state.left] == ["all[0-0]"]


def test_rollback_with_nothing_left_is_refused() -> None:
    """A run that undid everything."""
    run = recorded(PLAIN)
    run.failed("a")
    with pytest.raises(CannotResumeError, match="nothing left to undo: the run is failed"):
        rolled_back([Segment(run.plan, run.events)])


@pytest.mark.parametrize(
    ("mended", "reason"),
    [
        (BRANCHES, None),
        (BRANCHES.replace("id: l1, action: do", "id: l1, action: other"), None),
        (BRANCHES.replace("r1", "r9"), "stands at step `r1`, which 1.0.0 does not have"),
        (BRANCHES.replace("right:", "other:"), "stands at step `r1`, which is in another place in 1.0.0"),
        (BRANCHES.replace("id: all", "id: both"), "stands at step `all`, which 1.0.0 does not have"),
        (
            "steps:\n  - id: all\n    type: try\n    steps: [{id: l1, action: do}, {id: r1, action: do}]\n",
            "Step `all` is being carried out, and is a step of kind attempt in 1.0.0",
        ),
    ],
)
def test_version_fits_or_is_told_why_not(mended: str, reason: str | None) -> None:
    """Names, places and kinds must be there; what steps do may differ."""
    run = recorded(BRANCHES)
    run.failed("r1").failed("l1", "cancelled", "unknown")
    found = misfits(run.redriven().state, plan_of(mended))
    assert found == [] if reason is None else any(reason in sentence for sentence in found)


def test_version_without_a_compensation_does_not_fit() -> None:
    """What may have to be undone must be undoable."""
    run = recorded(UNDOING)
    run.done("a").done("b")
    state = run.redriven().state
    assert misfits(state, plan_of(UNDOING)) == []
    [reason] = misfits(
        state, plan_of(UNDOING.replace("id: b, action: do, compensate: {action: undo}", "id: b, action: do"))
    )
    assert reason == "`b` may have to be undone, and 1.0.0 has no compensation for it."
