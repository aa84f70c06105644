"""Lowering: both shapes of flow become successors, defaults are filled in."""

from datetime import timedelta

import pytest

from contracts.actions import ActionSpec
from workflows.language import plan as p
from workflows.language.canonical import sealed
from workflows.language.lower.definition import lower
from workflows.language.parse.definition import parse
from workflows.language.source import read_source
from workflows.language.triggers import Cancel, Definition, EventTrigger, Hold, ScheduleTrigger, Signal, Start

ACTIONS = {
    "quick": ActionSpec("quick", local=True, attempt_timeout=2.0),
    "slow": ActionSpec("slow", attempt_timeout=120.0),
    "event.publish": ActionSpec("event.publish"),
}


def lowered(text: str) -> Definition:
    """Compile a definition whose shape is right."""
    definition, diagnostics = parse(read_source("t.yaml", f"id: x\nversion: 1.0.0\n{text}"))
    assert diagnostics == ()
    assert definition is not None
    return lower(definition, ACTIONS)


def ways(text: str) -> dict[str, object]:
    """Return where each step goes on, decisions with all their ways."""
    nodes = lowered(text).plan.nodes
    return {
        name: ([case.next for case in node.cases], node.otherwise) if isinstance(node, p.Decide) else node.next
        for name, node in nodes.items()
    }


def test_sequence_goes_on_to_the_next_step() -> None:
    """Without any `next` the order of the list is the way."""
    text = "steps: [{id: a, vars: {}}, {id: b, vars: {}}, {id: c, vars: {}}]"
    assert ways(text) == {"a": "b", "b": "c", "c": None}


def test_graph_goes_on_only_where_next_says() -> None:
    """With one `next` in a list, a step without it ends its path."""
    text = "steps: [{id: a, vars: {}, next: c}, {id: b, vars: {}}, {id: c, vars: {}}]"
    assert ways(text) == {"a": "c", "b": None, "c": None}


def test_shape_is_decided_for_each_list_by_itself() -> None:
    """A graph around a sequence does not change the sequence, nor the other way round."""
    text = """
steps:
  - {id: a, vars: {}, next: b}
  - id: b
    items: [1]
    steps: [{id: c, vars: {}}, {id: d, vars: {}}]
"""
    assert ways(text) == {"a": "b", "b": None, "c": "d", "d": None}


def test_steps_of_a_case_go_on_behind_the_decision() -> None:
    """Each way of a decision, an absent `else` included, leads to the step after it."""
    text = """
steps:
  - id: choose
    cases:
      - {when: input.a, steps: [{id: c, vars: {}}, {id: d, vars: {}}]}
      - {when: input.b, next: after}
      - {when: input.c}
  - {id: between, vars: {}}
  - {id: after, vars: {}}
"""
    assert ways(text) == {
        "choose": (["c", "after", "between"], "between"),
        "c": "d",
        "d": "between",
        "between": "after",
        "after": None,
    }


def test_nested_decisions_go_on_behind_the_outer_one() -> None:
    """A decision at the end of a case continues where the outer decision does."""
    text = """
steps:
  - id: outer
    cases:
      - when: input.a
        steps:
          - id: inner
            cases: [{when: input.b, steps: [{id: deep, vars: {}}]}]
            else: [{id: other, vars: {}}]
  - {id: last, vars: {}}
"""
    assert ways(text) == {
        "outer": (["inner"], "last"),
        "inner": (["deep"], "other"),
        "deep": "last",
        "other": "last",
        "last": None,
    }


def test_condition_has_two_ways_and_no_third() -> None:
    """`next: [then, else]` names both; with one name the other way ends."""
    text = """
steps:
  - {id: a, condition: input.x, next: [b, c]}
  - {id: b, condition: input.y, next: c}
  - {id: c, vars: {}}
"""
    assert ways(text) == {"a": (["b"], "c"), "b": (["c"], None), "c": None}


def test_graph_fork_goes_on_at_its_join() -> None:
    """Branches end at the join, and the fork goes on there."""
    text = """
steps:
  - {id: f, type: parallel, next: [a, b], join: j, wait: any}
  - {id: a, vars: {}, next: j}
  - {id: b, vars: {}, next: j}
  - {id: j, vars: {}}
"""
    fork = lowered(text).plan.nodes["f"]
    assert isinstance(fork, p.Fork)
    assert (fork.next, fork.join, fork.wait) == ("j", "j", 1)
    assert fork.branches == (p.Branch("a", "a"), p.Branch("b", "b"))


def test_branches_without_a_join_end_for_themselves() -> None:
    """Inside a case, what follows the decision is run once by the fork and not by each of its branches."""
    text = """
steps:
  - id: choose
    cases:
      - when: input.a
        steps:
          - {id: f, type: parallel, next: [a, b]}
          - {id: a, vars: {}, next: c}
          - {id: b, vars: {}}
          - {id: c, vars: {}}
  - {id: last, vars: {}}
"""
    assert ways(text) == {"choose": (["f"], "last"), "f": "last", "a": "c", "b": None, "c": None, "last": None}


def test_inline_branches_end_with_none_and_the_fork_goes_on() -> None:
    """A branch is a body of its own; a number in `wait` is kept."""
    text = """
steps:
  - id: f
    branches: {l: [{id: a, vars: {}}, {id: b, vars: {}}], r: [{id: c, vars: {}}]}
    on_branch_error: finish
  - {id: last, vars: {}}
"""
    assert ways(text) == {"f": "last", "a": "b", "b": None, "c": None, "last": None}
    fork = lowered(text).plan.nodes["f"]
    assert isinstance(fork, p.Fork)
    assert (fork.branches, fork.wait, fork.cancel_on_error) == ((p.Branch("l", "a"), p.Branch("r", "c")), 2, False)


def test_bodies_of_blocks_end_with_none() -> None:
    """Loops and try blocks name the entries of their bodies, which end for themselves."""
    text = """
steps:
  - id: t
    steps: [{id: a, vars: {}}]
    catch: [{errors: [x], when: problem.status == 1, as: problem, steps: [{id: b, vars: {}}]}]
    finally: [{id: c, vars: {}}]
  - {id: r, until: vars.x, max: 2, steps: [{id: d, vars: {}}], carry: {x: true}}
"""
    nodes = lowered(text).plan.nodes
    attempt, repeat = nodes["t"], nodes["r"]
    assert isinstance(attempt, p.Attempt)
    assert isinstance(repeat, p.Repeat)
    assert (attempt.entry, attempt.catches[0].entry, attempt.final, attempt.next) == ("a", "b", "c", "r")
    assert (repeat.entry, repeat.max, repeat.index) == ("d", 2, "index")
    assert {nodes[name].next for name in "abcd"} == {None}


def test_fail_and_end_have_no_successor() -> None:
    """Nothing follows them, unless a condition may skip them."""
    text = "steps: [{id: a, output: 1}, {id: b, error: {type: t}, if: input.x}, {id: c, vars: {}}]"
    assert ways(text) == {"a": None, "b": "c", "c": None}


def test_action_takes_defaults_from_its_registration() -> None:
    """Where nothing is written, the action's own place and time-out count."""
    nodes = lowered("steps: [{id: a, action: quick}, {id: b, action: slow}, {id: c, action: plugin/x}]").plan.nodes
    executions = [node.execution for node in nodes.values() if isinstance(node, p.Act)]
    assert [(each.local, each.attempt_timeout, each.retry) for each in executions] == [
        (True, 2.0, p.Retry()),
        (False, 120.0, p.Retry()),
        (False, 60.0, p.Retry()),
    ]


def test_written_keys_win_over_defaults() -> None:
    """Each key of a step that acts arrives in its execution; `timeout` is the execution's."""
    text = """
steps:
  - id: a
    action: quick
    run: remote
    attempt_timeout: 1s
    timeout: 1m
    heartbeat: 3s
    queue: q
    priority: 2
    retry: {attempts: 3, backoff: 2m, factor: 3, jitter: 0.1, on: [timeout], not_on: [validation]}
"""
    node = lowered(text).plan.nodes["a"]
    assert isinstance(node, p.Act)
    retry = p.Retry(3, 120.0, 3.0, 120.0, 0.1, ("timeout",), ("validation",))
    assert node.execution == p.Execution(False, 1.0, 60.0, 3.0, "q", 2, retry)
    assert node.timeout is None


def test_compensation_by_step_id_takes_its_action() -> None:
    """The map, and a step id in `compensate`, both stand for that step's action, arguments and place."""
    text = """
compensation: {a: undo}
steps:
  - {id: a, action: slow, next: b}
  - {id: b, action: slow, compensate: undo}
  - {id: undo, action: quick, with: {x: "${ steps.a.output }"}}
"""
    nodes = lowered(text).plan.nodes
    undos = [node.undo for name, node in nodes.items() if isinstance(node, p.Act) and name != "undo"]
    assert undos[0] == undos[1]
    assert undos[0] is not None
    assert (undos[0].action, undos[0].step, undos[0].execution.local) == ("quick", "undo", True)
    assert undos[0].execution.retry == p.COMPENSATION_RETRY


@pytest.mark.parametrize(
    ("saga", "own", "attempts"),
    [("", "", 20), ("saga: {retry: {attempts: 7}}", "", 7), ("saga: {retry: {attempts: 7}}", "{attempts: 2}", 2)],
)
def test_compensation_takes_the_nearest_retry(saga: str, own: str, attempts: int) -> None:
    """Its own retry counts, else the saga's, else the product's."""
    retry = f", retry: {own}" if own else ""
    node = lowered(f"{saga}\nsteps: [{{id: a, action: slow, compensate: {{action: quick{retry}}}}}]").plan.nodes["a"]
    assert isinstance(node, p.Act)
    assert node.undo is not None
    assert (node.undo.execution.retry.attempts, node.undo.args) == (attempts, None)


def test_emit_becomes_a_publication() -> None:
    """An event's parts are the arguments of `event.publish`; what was not written is left to it."""
    text = """
steps:
  - {id: a, event: order.paid, data: {x: "${ input.x }"}, version: "2.0", priority: 7, key: k, compensate: b}
  - {id: b, type: emit, event: order.unpaid}
"""
    nodes = lowered(text).plan.nodes
    first, second = nodes["a"], nodes["b"]
    assert isinstance(first, p.Act)
    assert isinstance(second, p.Act)
    assert first.action == "event.publish"
    assert first.args is not None
    assert first.args.value == {
        "event_type": "order.paid",
        "data": {"x": "${ input.x }"},
        "event_version": "2.0",
        "priority": 7,
        "key": "k",
    }
    assert second.args is not None
    assert second.args.value == {"event_type": "order.unpaid", "data": {}}
    assert first.undo is not None
    assert first.undo.args == second.args


def test_on_error_becomes_handlers() -> None:
    """A step id, `continue`, and a list of arms."""
    text = """
steps:
  - {id: a, action: slow, on_error: continue}
  - {id: b, action: slow, on_error: c}
  - {id: c, action: slow, on_error: [{errors: [timeout], when: error.status == 504, next: continue}, {next: a}]}
"""
    handlers = {name: node.handlers for name, node in lowered(text).plan.nodes.items()}
    assert handlers["a"] == (p.Handler((), None, None),)
    assert handlers["b"] == (p.Handler((), None, "c"),)
    assert [(arm.errors, arm.when and arm.when.text, arm.next) for arm in handlers["c"]] == [
        (("timeout",), "error.status == 504", None),
        ((), None, "a"),
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", ("reject", None)),
        (", on_timeout: approve", ("approve", None)),
        (", on_timeout: fail", ("fail", None)),
        (", on_timeout: b", ("step", "b")),
    ],
)
def test_approval_time_out_is_a_word_or_a_step(written: str, expected: tuple[str, str | None]) -> None:
    """What is no word is a step id."""
    text = f"steps: [{{id: a, type: approval, timeout: 1h{written}}}, {{id: b, vars: {{}}}}]"
    node = lowered(text).plan.nodes["a"]
    assert isinstance(node, p.Approval)
    assert (node.on_timeout, node.timeout_next) == expected
    assert (node.title.value, node.timeout, node.quorum, node.approvers) == ("a", 3600.0, 1, None)


@pytest.mark.parametrize(
    ("written", "expected"),
    [("", ("fail", None)), (", on_timeout: continue", ("continue", None)), (", on_timeout: b", ("step", "b"))],
)
def test_receive_time_out_is_a_word_or_a_step(written: str, expected: tuple[str, str | None]) -> None:
    """The default is a failure; signals that are awaited are listed by the plan."""
    plan = lowered(f"steps: [{{id: a, signal: s, timeout: 1h{written}}}, {{id: b, vars: {{}}}}]").plan
    node = plan.nodes["a"]
    assert isinstance(node, p.Receive)
    assert (node.on_timeout, node.timeout_next) == expected
    assert plan.signals == ("s",)


@pytest.mark.parametrize(
    ("written", "template"),
    [
        ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
        ("${ input.when }", "${ input.when }"),
        ("input.when", "${ input.when }"),
    ],
)
def test_wait_until_is_a_moment_a_template_or_bare_cel(written: str, template: str) -> None:
    """All three spellings end as a template."""
    node = lowered(f"steps: [{{id: a, until: '{written}'}}]").plan.nodes["a"]
    assert isinstance(node, p.Pause)
    assert node.until is not None
    assert node.until.value == template


def test_top_level_becomes_the_plan() -> None:
    """Names, schema, output, key, time-out and the saga's policy arrive in the plan, which is sealed."""
    text = """
name: An X
description: What it does.
input: {type: object}
output: ${ vars }
key: ${ input.k }
timeout: 2d
saga: {order: parallel, on: [failure]}
steps: [{id: a, vars: {}}]
"""
    plan = lowered(text).plan
    assert (plan.id, plan.version, plan.name, plan.description) == ("x", "1.0.0", "An X", "What it does.")
    assert (plan.input_schema, plan.timeout, plan.entry) == ({"type": "object"}, 172_800.0, "a")
    assert plan.output is not None
    assert plan.key is not None
    assert (plan.output.value, plan.key.value) == ("${ vars }", "${ input.k }")
    assert plan.saga == p.SagaPolicy("parallel", frozenset({"failure"}))
    assert plan == sealed(plan)


def test_triggers_have_their_defaults() -> None:
    """Each kind of trigger is lowered with its expressions compiled."""
    text = """
triggers:
  - {event: a.b, start: {}}
  - {event: a.*, when: event.data.x > 1, signal: {key: "${ event.data.k }", name: n}}
  - {event: a.c, cancel: {key: k}, if_missing: dead-letter}
  - {schedule: {cron: "0 3 * * *"}}
  - schedule: {cron: "@daily", timezone: Europe/Berlin, overlap: allow_all, catch_up: 1h, jitter: 5m, paused: true}
    input: {a: 1}
steps: [{id: a, vars: {}}]
"""
    started, signalled, cancelled, plain, full = lowered(text).triggers
    assert started == EventTrigger("a.b", None, Start())
    assert isinstance(signalled, EventTrigger)
    assert isinstance(signalled.does, Signal)
    assert signalled.when is not None
    assert (signalled.when.text, signalled.does.name, signalled.does.if_missing) == (
        "event.data.x > 1",
        "n",
        "dead-letter",
    )
    assert isinstance(cancelled, EventTrigger)
    assert isinstance(cancelled.does, Cancel)
    assert cancelled.does.if_missing == "dead-letter"
    assert plain == ScheduleTrigger("0 3 * * *")
    assert isinstance(full, ScheduleTrigger)
    assert (full.overlap, full.catch_up, full.jitter, full.paused) == ("allow_all", 3600.0, 300.0, True)


@pytest.mark.parametrize(
    ("written", "lowered_as"),
    [
        ("", "dead-letter"),
        ("if_missing: start", "start"),
        ("if_missing: hold", Hold(timedelta(minutes=10))),
        ("if_missing: {hold: 1h}", Hold(timedelta(hours=1))),
        ("if_missing: {hold: 1500}", Hold(timedelta(seconds=1.5))),
    ],
)
def test_signal_with_a_key_has_what_is_done_without_a_run(written: str, lowered_as: object) -> None:
    """A signal that finds no run is dead-lettered, unless something else is said; held ones for ten minutes."""
    text = (
        f"triggers:\n  - event: a.b\n    signal: {{key: k, name: n}}\n    {written}\nsteps: [{{id: a, vars: {{}}}}]\n"
    )
    (trigger,) = lowered(text).triggers
    assert isinstance(trigger, EventTrigger)
    assert isinstance(trigger.does, Signal)
    assert trigger.does.if_missing == lowered_as


@pytest.mark.parametrize(
    ("trigger", "held"),
    [
        ("signal: {correlate: {order: '${ event.data.o }'}, name: n}", Hold()),
        ("correlate: {order: '${ event.data.o }'}, signal: {name: n}", Hold()),
        ("signal: {correlate: {order: '${ event.data.o }'}, name: n}, if_missing: drop", "drop"),
    ],
)
def test_signal_with_correlate_is_held_unless_something_else_is_said(trigger: str, held: object) -> None:
    """`correlate` stands inside `signal` or beside it; nobody may wait yet, so the event is held."""
    steps = "[{id: a, type: receive, signal: n, correlate: {order: x}}]"
    text = f"triggers: [{{event: a.b, {trigger}}}]\nsteps: {steps}\n"
    (read,) = lowered(text).triggers
    assert isinstance(read, EventTrigger)
    assert isinstance(read.does, Signal)
    assert read.does.correlate is not None
    assert (read.does.key, read.does.correlate.value, read.does.if_missing) == (
        None,
        {"order": "${ event.data.o }"},
        held,
    )
