"""Failure, handlers, compensation, cancellation, the run's time-out."""

from tests.workflows.engine.runs import begun
from workflows.engine.commands import Cancel, CancelRun, StartActivity
from workflows.engine.events import CancelRequested, Continued, DrainRequested

TRIP = """
steps:
  - {id: hotel, action: do, compensate: {action: undo, with: {id: "${ steps.hotel.output.id }"}}}
  - {id: flight, action: do, compensate: {action: undo, with: {id: flight}}}
  - {id: pay, action: do}
"""


def test_failure_undoes_in_reverse_order_with_the_arguments_of_then() -> None:
    """Arguments are evaluated when a compensation is armed."""
    run = begun(TRIP).done("hotel", {"id": 7}).done("flight").failed("pay")
    assert run.args == {"flight/compensate": {"id": "flight"}}
    assert run.done("flight/compensate").args == {"hotel/compensate": {"id": 7}}
    problem = run.done("hotel/compensate").problem
    assert problem.type == "broken"
    assert problem.extensions["undone"] == ["flight", "hotel"]
    assert run.state.status == "compensated"


def test_compensation_knows_the_key_of_what_it_undoes() -> None:
    """An undo can look its step up by the idempotency key."""
    run = begun(TRIP).done("hotel", {"id": 7}).failed("flight")
    (start,) = run.asked(StartActivity)
    assert start.context.undoes == "r1/hotel"
    assert start.context.idempotency_key == "r1/hotel/compensate"


def test_step_that_failed_for_certain_is_not_undone() -> None:
    """Nothing to undo: the run has failed."""
    run = begun(TRIP).failed("hotel")
    assert run.started == []
    assert run.state.status == "failed"


def test_step_of_unknown_outcome_is_undone() -> None:
    """A time-out may have had its effect."""
    run = begun(TRIP).done("hotel", {"id": 1}).failed("flight", "timeout", "unknown")
    assert run.started == ["flight/compensate"]


def test_undo_whose_arguments_need_a_lost_output_is_left_to_people() -> None:
    """What cannot be undone is named; the others are undone all the same."""
    run = begun(TRIP).failed("hotel", "timeout", "unknown")
    assert run.problem.extensions["saga_status"] == "rollback-incomplete"
    (left,) = run.state.left
    assert (left["step"], left["action"]) == ("hotel", "undo")


def test_compensation_that_fails_is_written_down_and_the_others_go_on() -> None:
    """The run ends as rollback-incomplete with what is left."""
    run = begun(TRIP).done("hotel", {"id": 7}).done("flight").failed("pay").failed("flight/compensate", "gone")
    assert run.started == ["hotel/compensate"]
    problem = run.done("hotel/compensate").problem
    assert problem.extensions["saga_status"] == "rollback-incomplete"
    assert run.state.status == "rollback-incomplete"


def test_cancel_request_settles_then_undoes_and_ends_cancelled() -> None:
    """In flight first: only a settled step tells whether it must be undone."""
    run = begun(TRIP).done("hotel", {"id": 7}).give(CancelRequested(0, "changed my mind"))
    assert run.asked(Cancel) == [Cancel("flight")]
    assert run.done("flight").started == ["flight/compensate"]
    assert run.give(CancelRequested(0, "again")).last == []
    run.done("flight/compensate").done("hotel/compensate")
    (end,) = run.asked(CancelRun)
    assert end.problem.detail == "changed my mind"
    assert run.state.status == "cancelled"


def test_cancel_without_saga_undoes_nothing_where_the_author_said_so() -> None:
    """`saga.on` leaves cancel out."""
    run = begun("saga: {on: [failure]}\n" + TRIP).done("hotel", {"id": 7}).give(CancelRequested(0))
    assert run.failed("flight", "cancelled", "unknown").asked(CancelRun)


def test_timeout_of_the_run_undoes_and_ends_timed_out() -> None:
    """The run's time-out is the engine's own, so that it compensates."""
    run = begun("timeout: 1h\n" + TRIP)
    assert run.timers == {"run/timeout": 3600.0}
    run.done("hotel", {"id": 7}).fired("run/timeout", 3600)
    run.failed("flight", "cancelled", "failed")
    assert run.started == ["hotel/compensate"]
    assert run.done("hotel/compensate").problem.type == "timeout"
    assert run.state.status == "timed-out"


def test_parallel_order_undoes_all_at_once() -> None:
    """`order: parallel`."""
    run = begun("saga: {order: parallel}\n" + TRIP).done("hotel", {"id": 7}).done("flight").failed("pay")
    assert sorted(run.started) == ["flight/compensate", "hotel/compensate"]


def test_on_error_step_recovers_the_run() -> None:
    """A path entered by on_error completes, with the problem in the result."""
    run = begun(
        """
        steps:
          - {id: a, action: do, on_error: mend, next: b}
          - {id: b, action: do}
          - {id: mend, action: do, with: {why: "${ error.type }"}}
        """
    )
    assert run.failed("a").args == {"mend": {"why": "broken"}}
    result = run.done("mend", "mended").result
    assert isinstance(result, dict)
    assert result["status"] == "recovered"
    assert result["output"] == "mended"
    assert run.state.status == "recovered"


def test_side_steps_of_a_sequence_run_only_when_they_are_named() -> None:
    """Steps at the end that handle a failure are aside of the order; their path ends behind them."""
    text = """
        steps:
          - {id: a, action: do, on_error: mend}
          - {id: mend, action: do}
        """
    assert begun(text).done("a", 1).result == 1
    run = begun(text).failed("a")
    assert run.started == ["mend"]
    assert run.done("mend").state.status == "recovered"


def test_on_error_chooses_by_type_and_condition() -> None:
    """The first handler that fits; none that fits lets the problem out."""
    text = """
        steps:
          - id: a
            action: do
            next: b
            on_error:
              - {errors: [timeout], next: late}
              - {when: "error.title == 'odd'", next: strange}
          - {id: b, action: do}
          - {id: late, action: do}
          - {id: strange, action: do}
        """
    assert begun(text).failed("a", "timeout").started == ["late"]
    assert begun(text).failed("a", "odd").started == ["strange"]
    assert begun(text).failed("a", "other").problem.type == "other"


def test_continue_goes_on_with_a_null_output() -> None:
    """`on_error: continue`: the step's error stays readable."""
    run = begun(
        """
        steps:
          - {id: a, action: do, on_error: continue}
          - {id: b, action: do, with: {was: "${ steps.a.status }", why: "${ steps.a.error.type }"}}
        """
    )
    assert run.failed("a").args == {"b": {"was": "failed", "why": "broken"}}


def test_fail_raises_what_the_author_wrote() -> None:
    """`fail`: a problem of one's own."""
    run = begun("steps: [{id: no, type: fail, error: {type: too-late, title: Too late, status: 410}}]")
    assert (run.problem.type, run.problem.status) == ("too-late", 410)


def test_draining_holds_new_work_and_continues_where_it_was() -> None:
    """Continue-as-new: the next step starts in the continuation."""
    run = begun(TRIP).give(DrainRequested(0))
    run.done("hotel", {"id": 7})
    assert [type(command).__name__ for command in run.last] == ["ContinueAsNew"]
    assert run.give(Continued(0)).started == ["flight"]


def test_draining_holds_a_rollback_too() -> None:
    """A long rollback is carried over as well."""
    run = begun(TRIP).done("hotel", {"id": 7}).done("flight").failed("pay").give(DrainRequested(0))
    assert run.done("flight/compensate").started == []
    assert run.give(Continued(0)).started == ["hotel/compensate"]
