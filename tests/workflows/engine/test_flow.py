"""Sequences, graphs, decisions, variables, results."""

import pytest

from contracts.json import Json
from tests.workflows.engine.runs import begun
from workflows.engine.commands import UpsertAttributes


def test_sequence_runs_in_order_and_gives_the_last_output() -> None:
    """Steps follow each other; without `output` the last one's is the result."""
    run = begun(
        """
        steps:
          - {id: a, action: do, with: {n: "${ input.n }"}}
          - {id: b, action: do, with: {n: "${ steps.a.output.n + 1 }"}}
        """,
        {"n": 1},
    )
    assert run.args == {"a": {"n": 1}}
    assert run.done("a", {"n": 5}).args == {"b": {"n": 6}}
    assert run.done("b", "end").result == "end"


def test_action_without_with_is_given_the_input() -> None:
    """The seed's actions have no `with`: they get the run's input."""
    assert begun("steps: [{id: a, action: do}]", {"x": 1}).args == {"a": {"x": 1}}


def test_condition_false_skips_a_step() -> None:
    """`if: false` goes on behind the step; its output is null."""
    run = begun(
        """
        steps:
          - {id: a, action: do, if: "input.go"}
          - {id: b, action: do, with: {a: "${ steps.a.status }"}}
        """,
        {"go": False},
    )
    assert run.args == {"b": {"a": "skipped"}}


def test_graph_ends_a_path_where_a_step_has_no_next() -> None:
    """In a list with `next`, a step without it ends the path."""
    run = begun(
        """
        steps:
          - {id: a, action: do, next: c}
          - {id: b, action: do}
          - {id: c, type: decision, condition: "input.x > 1", next: [b, d]}
          - {id: d, action: do}
        """,
        {"x": 2},
    )
    assert run.done("a").started == ["b"]
    assert run.done("b", 1).result == 1


def test_decision_takes_the_first_case_that_holds() -> None:
    """Cases are tried in order; nested steps come back to the list behind the decision."""
    text = """
        steps:
          - id: pick
            cases:
              - {when: "input.n > 10", steps: [{id: big, action: do}]}
              - {when: "input.n > 1", steps: [{id: mid, action: do}]}
            else: [{id: small, action: do}]
          - {id: after, action: do}
        """
    assert begun(text, {"n": 20}).started == ["big"]
    assert begun(text, {"n": 5}).started == ["mid"]
    assert begun(text, {"n": 0}).done("small").started == ["after"]


def test_set_assigns_variables_all_at_once() -> None:
    """Every value is evaluated before the first is assigned."""
    run = begun(
        """
        steps:
          - {id: one, type: set, vars: {a: 1, b: 2}}
          - {id: swap, type: set, vars: {a: "${ vars.b }", b: "${ vars.a }"}}
        output: ${ vars }
        """
    )
    assert run.result == {"a": 2, "b": 1}


def test_input_that_breaks_the_schema_runs_no_step() -> None:
    """The run fails at once with a validation problem that names the place."""
    run = begun(
        """
        input: {type: object, required: [email], properties: {email: {type: string, format: email}}}
        steps: [{id: a, action: do}]
        """,
        {"email": 5},
    )
    assert run.started == []
    assert run.problem.type == "validation"
    assert "/email" in run.problem.detail


def test_end_finishes_the_run_and_cancels_other_paths() -> None:
    """`end` in a branch: the other branch is cancelled and settles, then the run completes."""
    run = begun(
        """
        steps:
          - id: both
            branches:
              quick: [{id: q, action: do}, {id: stop, type: end, output: early}]
              slow: [{id: s, action: do}]
        """
    )
    run.done("q")
    assert run.state.phase == "settling"
    assert run.failed("s", "cancelled", "unknown").result == "early"


def test_key_expression_names_the_run() -> None:
    """`key` gives the business key of a run that was started without one."""
    run = begun('key: "${ input.order }"\nsteps: [{id: a, action: do, with: {key: "${ run.key }"}}]', {"order": 7})
    assert run.args == {"a": {"key": "7"}}
    assert run.asked(UpsertAttributes)[0].values["SagaKey"] == "7"


def test_failing_expression_fails_its_step() -> None:
    """What an expression cannot do becomes an `expression` problem at the step."""
    run = begun('steps: [{id: a, action: do, with: {x: "${ input.missing.deeper }"}}]', {"other": 1})
    assert run.problem.type == "expression"
    assert run.problem.instance == "/steps/a" or run.problem.instance.startswith("/steps")
    assert "missing" in run.problem.detail


def test_run_that_has_ended_asks_for_nothing_more() -> None:
    """Late events change nothing."""
    run = begun("steps: [{id: a, type: set, vars: {x: 1}}]")
    assert run.message("late", 1).last == []


@pytest.mark.parametrize(("value", "shown"), [(5, "5"), ("x", '"x"'), (None, "null"), ([1], "[1]")])
def test_problem_that_is_none_fails_the_step(value: Json, shown: str) -> None:
    """An expression that gives no problem fails its step, not the worker."""
    problem = begun("steps: [{id: a, type: fail, error: '${ input.x }'}]", {"x": value}).problem
    assert (problem.type, problem.instance) == ("expression", "/steps/0")
    assert problem.detail.startswith(f"`error` gave {shown}, not a problem")


def test_condition_of_a_handler_that_fails_names_its_step() -> None:
    """The problem that ends the run says where it comes from."""
    run = begun("steps: [{id: a, action: do, on_error: [{when: error.nope == 1, next: continue}]}]").failed("a")
    assert (run.problem.type, run.problem.instance) == ("expression", "/steps/0")


def test_result_that_is_too_large_fails_the_run() -> None:
    """Temporal takes 2 MiB: the run says so and undoes what it did, instead of hanging at its end."""
    run = begun("steps: [{id: a, action: do, compensate: {action: undo}}]").done("a", "x" * 3_000_000)
    assert run.started == ["a/compensate"]
    problem = run.done("a/compensate").problem
    assert (problem.title, problem.status) == ("The result is too large", 413)


def test_arguments_that_are_too_large_fail_their_step() -> None:
    """What Temporal would not take is told at the step that would send it; the run can go on from there."""
    text = """
        steps:
          - {id: a, action: do}
          - {id: b, action: do, with: ["${ steps.a.output }", "${ steps.a.output }"], on_error: continue}
          - {id: c, action: do, with: {why: "${ steps.b.error.detail }"}}
        """
    args = begun(text).done("a", "x" * 1_500_000).args
    assert "2,093,056 fit" in str(args["c"])
