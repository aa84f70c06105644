"""Parallel, foreach, repeat, try."""

from contracts.json import Json
from tests.workflows.engine.runs import Run, begun, plan_of
from workflows.engine.commands import Cancel, CancelRun, Complete, Fail, StartActivity, StartChild
from workflows.engine.events import Begun, CancelRequested, Done, Failed, RunInfo, Slice

PARALLEL = """
steps:
  - id: both
    wait: {wait}
    on_branch_error: {error}
    branches:
      x: [{{id: a, action: do, compensate: {{action: undo}}}}]
      y: [{{id: b, action: do, compensate: {{action: undo}}}}]
  - {{id: after, action: do, with: {{both: "${{ steps.both.output }}"}}}}
"""


def parallel(wait: str = "all", error: str = "cancel") -> Run:
    """Begin a run with two branches that can be undone."""
    return begun(PARALLEL.format(wait=wait, error=error))


def test_parallel_waits_for_all_and_gives_a_map() -> None:
    """The output is a map from branch to output, in the order of the definition."""
    run = parallel()
    assert run.started == ["a", "b"]
    assert run.done("b", 2).started == []
    assert run.done("a", 1).args == {"after": {"both": {"x": 1, "y": 2}}}


def test_parallel_any_cancels_the_rest() -> None:
    """The first branch wins; the fork goes on once the loser has settled."""
    run = parallel("any")
    assert run.done("b", 2).asked(Cancel) == [Cancel("a")]
    assert run.failed("a", "cancelled", "unknown").args == {"after": {"both": {"y": 2}}}


def test_loser_that_had_its_effect_is_still_undone() -> None:
    """A cancelled branch that succeeded all the same is armed: its effect is real."""
    run = parallel("any").done("b", 2).done("a", 1).failed("after")
    assert run.started == ["a/compensate"]
    assert run.done("a/compensate").started == ["b/compensate"]


def test_branch_error_cancels_the_others_first() -> None:
    """The failure leaves the fork only when nothing of it is in flight."""
    run = parallel().failed("a")
    assert run.asked(Cancel) == [Cancel("b")]
    assert run.state.phase == "running"
    assert run.done("b").started == ["b/compensate"]


def test_branch_error_finish_lets_the_others_end() -> None:
    """`finish`: the others run to their end, then the first problem counts."""
    run = parallel(error="finish").failed("a")
    assert run.asked(Cancel) == []
    assert run.done("b").started == ["b/compensate"]
    assert run.done("b/compensate").problem.type == "broken"


def test_graph_parallel_joins() -> None:
    """Graph shape: branches run until `join`, where one path goes on."""
    run = begun(
        """
        steps:
          - {id: fork, type: parallel, next: [a, b], join: c}
          - {id: a, action: do, next: c}
          - {id: b, action: do, next: c}
          - {id: c, action: do}
        """
    )
    assert run.done("a", 1).started == []
    assert run.done("b", 2).started == ["c"]


def test_foreach_keeps_its_window_and_order() -> None:
    """At most `concurrency` items run; results come in the order of the items."""
    run = begun(
        """
        steps:
          - id: each
            type: foreach
            items: ${ input.xs }
            as: x
            concurrency: 2
            collect: ${ steps.work.output + x }
            steps: [{id: work, action: do, with: {x: "${ x }", i: "${ index }"}}]
        """,
        {"xs": [10, 20, 30]},
    )
    assert run.args == {"each[0]/work": {"x": 10, "i": 0}, "each[1]/work": {"x": 20, "i": 1}}
    assert run.done("each[1]/work", 2).started == ["each[2]/work"]
    run.done("each[2]/work", 3)
    assert run.done("each[0]/work", 1).result == [11, 22, 33]


def test_foreach_over_nothing_gives_an_empty_list() -> None:
    """No items, no steps."""
    run = begun("steps: [{id: each, type: foreach, items: '${ input.xs }', steps: [{id: w, action: do}]}]", {"xs": []})
    assert run.result == []


BATCHED = """
steps:
  - id: each
    type: foreach
    items: ${ input.xs }
    concurrency: 2
    batch: 2
    steps: [{id: work, action: do, with: {x: "${ item }"}, compensate: {action: undo, with: {x: "${ item }"}}}]
  - {id: after, action: do}
"""


def test_foreach_past_its_batch_runs_in_children() -> None:
    """Each batch is a child workflow; results are put together in order."""
    run = begun(BATCHED, {"xs": [1, 2, 3]})
    (child,) = run.asked(StartChild)
    assert (child.id, child.workflow) == ("each[0-1]", "test@1.0.0")
    assert run.done("each[0-1]", ["a", "b"]).started == ["each[2-2]"]
    assert run.done("each[2-2]", ["c"]).started == ["after"]
    assert run.state.scopes[0].steps["each"]["output"] == ["a", "b", "c"]


def test_slice_reports_what_it_has_armed_to_its_parent() -> None:
    """A child that succeeded is undone by the parent, with the keys of the child's steps."""
    plan = plan_of(BATCHED)
    cut = Slice("each", "", 2, [3])
    child = Run(plan, {"xs": [1, 2, 3]})
    child.give(Begun(child.at, RunInfo("child", "test/k1/each[2-2]", "x"), child.given, cut))
    assert child.args == {"each[2]/work": {"x": 3}}
    (end,) = child.done("each[2]/work", "c").asked(Complete)
    parent = begun(BATCHED, {"xs": [1, 2, 3]}).done("each[0-1]", ["a", "b"])
    parent.give(Done(parent.at, "each[2-2]", end.result, end.armed)).failed("after")
    assert parent.args == {"each[2]/work/compensate": {"x": 3}}
    (start,) = parent.asked(StartActivity)
    assert "undoes='child/each[2]/work'" in repr(start)


def test_repeat_carries_state_until_its_condition_holds() -> None:
    """`carry` is assigned after each round; `until` sees the round's steps."""
    run = begun(
        """
        steps:
          - {id: init, type: set, vars: {cursor: 0}}
          - id: poll
            type: repeat
            max: 5
            until: steps.get.output.done
            carry: {cursor: "${ steps.get.output.next }"}
            steps: [{id: get, action: do, with: {from: "${ vars.cursor }"}}]
        """
    )
    assert run.args == {"poll[0]/get": {"from": 0}}
    assert run.done("poll[0]/get", {"next": 7, "done": False}).args == {"poll[1]/get": {"from": 7}}
    assert run.done("poll[1]/get", {"next": 9, "done": True}).result == {"next": 9, "done": True}


def test_repeat_past_its_max_is_a_problem() -> None:
    """A loop that does not end is not taken for success."""
    run = begun("steps: [{id: poll, type: repeat, max: 1, until: 'false', steps: [{id: get, action: do}]}]")
    assert run.done("poll[0]/get").problem.title == "The loop did not end"


def test_repeat_while_false_runs_nothing() -> None:
    """`while` is checked before the first round."""
    run = begun("steps: [{id: poll, type: repeat, max: 3, while: 'false', steps: [{id: get, action: do}]}]")
    assert run.result is None


TRY = """
steps:
  - id: guard
    type: try
    steps: [{id: risky, action: do}]
    catch:
      - errors: [broken]
        as: why
        steps: [{id: mend, action: do, with: {why: "${ why.type }"}}]
    finally: [{id: tidy, action: do}]
  - {id: after, action: do}
"""


def test_try_success_runs_finally() -> None:
    """No problem: body, finally, on."""
    assert begun(TRY).done("risky").started == ["tidy"]


def test_try_catches_by_type() -> None:
    """The first catch that fits takes the problem; then finally; then on."""
    run = begun(TRY).failed("risky")
    assert run.args == {"mend": {"why": "broken"}}
    assert run.done("mend").started == ["tidy"]
    assert run.done("tidy").started == ["after"]


def test_try_lets_other_problems_out_after_finally() -> None:
    """A problem that no catch names leaves the block once finally has run."""
    run = begun(TRY).failed("risky", "strange")
    assert run.started == ["tidy"]
    assert run.done("tidy").problem.type == "strange"


def test_problem_in_finally_counts() -> None:
    """A failing finally fails the block."""
    assert begun(TRY).done("risky").failed("tidy", "late").problem.type == "late"


def test_block_timeout_cancels_what_is_inside() -> None:
    """The whole step's time-out: cancel, settle, then the `timeout` problem."""
    run = begun(
        """
        steps:
          - id: both
            timeout: 30s
            branches: {x: [{id: a, action: do}], y: [{id: b, action: do}]}
            on_error: continue
          - {id: after, action: do}
        """
    )
    assert run.timers == {"both/timeout": 30.0}
    assert run.fired("both/timeout", 30).asked(Cancel) == [Cancel("a"), Cancel("b")]
    run.failed("a", "cancelled", "unknown")
    assert run.failed("b", "cancelled", "unknown").started == ["after"]


def test_finally_of_a_losing_branch_runs() -> None:
    """A path that lost a race tidies up before the fork goes on."""
    run = begun(
        """
        steps:
          - id: race
            wait: any
            branches:
              x: [{id: a, action: do}]
              y: [{id: guard, type: try, steps: [{id: b, action: do}], finally: [{id: tidy, action: do}]}]
          - {id: after, action: do}
        """
    )
    run.done("a")
    assert run.failed("b", "cancelled", "unknown").started == ["tidy"]
    assert run.done("tidy").started == ["after"]


def sliced(text: str, given: dict[str, Json], at: int | None = None) -> Run:
    """Begin the first slice that a run of the definition starts."""
    parent = begun(text, given)
    cut = parent.asked(StartChild)[0].slice
    assert isinstance(cut, dict)
    child = Run(parent.plan, given)
    child.at = at or child.at
    info = RunInfo("child", "test/k1/each[0-1]", "k1/each[0-1]")
    return child.give(Begun(child.at, info, given, Slice(**cut)))  # type: ignore[arg-type]  # as the parent wrote it


def test_slice_is_a_part_of_its_run() -> None:
    """`run` is the same in an item, however many items there are."""
    text = BATCHED.replace('x: "${ item }"}, comp', "x: \"${ run.key + ' ' + run.id }\"}, comp")
    assert sliced(text, {"xs": [1, 2, 3]}).args["each[0]/work"] == {"x": "k1 r1"}


def test_slice_does_not_ask_the_condition_again() -> None:
    """What has changed since the parent entered the foreach does not make a slice go on behind it."""
    text = BATCHED.replace("type: foreach", "if: now < timestamp('2024-01-01T00:00:00Z')")
    assert sliced(text, {"xs": [1, 2, 3]}, at=1_800_000_000_000).started == ["each[0]/work", "each[1]/work"]


def test_slice_that_fails_hands_over_what_it_had_done() -> None:
    """A slice undoes nothing by itself: what becomes of it is the whole run's matter."""
    child = sliced(BATCHED, {"xs": [1, 2, 3]}).done("each[0]/work").failed("each[1]/work")
    (end,) = child.asked(Fail)
    assert end.problem.extensions == {}
    parent = begun(BATCHED, {"xs": [1, 2, 3]})
    parent.give(Failed(parent.at, "each[0-1]", end.problem, end.armed))
    assert parent.started == ["each[0]/work/compensate"]
    assert parent.done("each[0]/work/compensate").problem.extensions["undone"] == ["each[0]/work"]


def test_slice_that_is_cancelled_hands_over_what_it_had_done() -> None:
    """So `saga.on` is asked once, with the cause of the whole run, and nothing that was done is forgotten."""
    child = sliced("saga: {on: [failure]}" + BATCHED, {"xs": [1, 2, 3]}).done("each[0]/work")
    child.give(CancelRequested(child.at)).failed("each[1]/work", "cancelled")
    (end,) = child.asked(Fail)
    assert len(end.armed) == 1
    idle = sliced(BATCHED, {"xs": [1, 2, 3]}).give(CancelRequested(child.at))
    idle.failed("each[0]/work", "cancelled").failed("each[1]/work", "cancelled")
    assert len(idle.asked(CancelRun)) == 1


def test_end_in_a_slice_ends_the_whole_run() -> None:
    """`end` finishes the run from wherever it stands."""
    text = BATCHED.replace("[{id: work", "[{id: over, type: end, if: item == 2, output: 7}, {id: work")
    (end,) = sliced(text, {"xs": [1, 2, 3]}).asked(Complete)
    parent = begun(text, {"xs": [1, 2, 3]})
    assert parent.give(Done(parent.at, "each[0-1]", end.result, end.armed, end.variables, end.whole)).result == 7


def test_variables_that_a_slice_assigns_are_the_run_s() -> None:
    """Variables belong to the run, past a batch as below it."""
    text = """
    steps:
      - {id: begin, type: set, vars: {sum: 10, same: 1}}
      - {id: each, items: "${ input.xs }", batch: 2, steps: [{id: add, type: set, vars: {sum: "${ vars.sum + item }"}}]}
      - {id: after, action: do, with: {sum: "${ vars.sum }"}}
    """
    (end,) = sliced(text, {"xs": [1, 2, 3]}).asked(Complete)
    assert end.variables == {"sum": 13}
    parent = begun(text, {"xs": [1, 2, 3]})
    parent.give(Done(parent.at, "each[0-1]", end.result, end.armed, end.variables))
    (second,) = parent.asked(StartChild)
    assert "'sum': 13" in repr(second.slice)
