"""Redriving over random plans, orders of events and points of failure: each step has its effect exactly once."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.workflows.engine.plans import plans
from tests.workflows.engine.services import Life, Services
from tests.workflows.engine.test_properties import Fate
from workflows.engine.commands import Complete
from workflows.engine.redriving import CannotResumeError, redriven, rolled_back
from workflows.engine.resuming import misfits
from workflows.language.canonical import sealed
from workflows.language.plan import AnyNode, Attempt, End, Foreach, Fork, Plan, Raise, SagaPolicy

EXAMPLES = 400
unhurried = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    database=None,
)
SAGAS = st.sampled_from([SagaPolicy(), SagaPolicy(order="parallel"), SagaPolicy(on=frozenset())])


def steady(plan: Plan, saga: SagaPolicy) -> Plan:
    """Return the plan without what makes its way depend on failures and on who comes first.

    (The steps of a `finally` are done at the end of each try, so after a redrive once more.)
    """
    nodes = {name: _steady(node) for name, node in plan.nodes.items()}
    return sealed(replace(plan, nodes=nodes, saga=saga, timeout=None))


def _steady(node: AnyNode) -> AnyNode:
    calm = replace(node, handlers=(), timeout=None)
    match calm:
        case Fork():
            return replace(calm, wait=len(calm.branches))
        case Foreach():
            return replace(calm, batch=None)
        case Attempt():
            return replace(calm, catches=(), final=None)
    return calm


def is_plain(plan: Plan) -> bool:
    """Tell whether no step of the plan ends or fails the run by itself."""
    return not any(isinstance(node, End | Raise) for node in plan.nodes.values())


@unhurried
@given(plans(), SAGAS, st.integers(0, 2**64 - 1), st.integers(1, 4))
def test_redriven_run_has_each_effect_once(plan: Plan, saga: SagaPolicy, seed: int, failures: int) -> None:
    """After any number of failures and redrives, the effects are those of a run that never failed."""
    plan = steady(plan, saga)
    assume(is_plain(plan))
    fate, services = Fate(seed), Services()
    smooth = Services()
    assume(isinstance(Life(plan, fate, smooth, mishaps=0).live().ending, Complete))
    life = Life(plan, fate, services).live()
    for number in range(failures):
        if isinstance(life.ending, Complete):
            break
        resumption = redriven(life.whole_past())
        assert misfits(resumption.state, plan) == []
        mishaps = 1 if number + 1 < failures else 0
        life = Life(plan, fate, services, number + 2, mishaps, 0, resumption, life.whole_past(), life.at + 1000).live()
    assert isinstance(life.ending, Complete)
    assert services.standing() == smooth.standing()


@unhurried
@given(plans(), st.integers(0, 2**64 - 1))
def test_any_run_that_can_be_redriven_ends(plan: Plan, seed: int) -> None:
    """Handlers, catches, batches, time-outs: a redriven run ends, with each effect at most once, or is refused."""
    fate, services = Fate(seed), Services()
    life = Life(_without_batches(plan), fate, services, mishaps=2).live()
    if isinstance(life.ending, Complete):
        return
    try:
        resumption = redriven(life.whole_past())
    except CannotResumeError:
        assert _leaves_some_behind(life.plan)
        return
    again = Life(life.plan, fate, services, 2, 1, 0, resumption, life.whole_past(), life.at + 1000).live()
    if not again.state.left:
        assert len(set(again.state.undone)) == len(again.state.undone)


@unhurried
@given(plans(), st.integers(0, 2**64 - 1))
def test_any_step_that_was_reached_can_be_begun_with_or_is_refused(plan: Plan, seed: int) -> None:
    """`--from` each step in turn: the new run ends, or a sentence says why it cannot begin there."""
    fate, services = Fate(seed), Services()
    life = Life(_without_batches(plan), fate, services).live()
    if isinstance(life.ending, Complete):
        return
    for path in [row for row in life.state.records if not row.endswith("/compensate")]:
        try:
            resumption = redriven(life.whole_past(), path)
        except CannotResumeError as error:
            assert str(error).endswith(".")
        else:
            Life(life.plan, fate, Services(), 2, 0, 0, resumption, life.whole_past(), life.at + 1000).live()


@unhurried
@given(plans(), st.integers(0, 2**64 - 1))
def test_rollback_is_finished(plan: Plan, seed: int) -> None:
    """What a rollback could not undo is undone by the next one; then nothing stands that has a compensation."""
    fate, services = Fate(seed), Services()
    life = Life(_without_batches(plan), fate, services, undo_mishaps=3).live()
    if not life.state.left:
        return
    left = [str(entry["step"]) for entry in life.state.left]
    resumption = rolled_back(life.whole_past())
    again = Life(life.plan, fate, services, 2, 0, 0, resumption, life.whole_past(), life.at + 1000).live()
    assert again.state.status == "compensated"
    # All at once they end in any order.
    again_undone = again.state.undone[len(life.state.undone) :]
    assert again_undone == left if plan.saga.order == "reverse" else sorted(again_undone) == sorted(left)
    assert not again.state.left
    assert not again.state.remaining


def _leaves_some_behind(plan: Plan) -> bool:
    """Tell whether the plan goes on while some of its branches are being cancelled: what those did cannot be told."""
    return any(isinstance(node, Fork) and node.wait < len(node.branches) for node in plan.nodes.values())


def _without_batches(plan: Plan) -> Plan:
    calm = {name: replace(node, batch=None) if isinstance(node, Foreach) else node for name, node in plan.nodes.items()}
    return sealed(replace(plan, nodes=calm))
