"""The promises of the engine, over random plans, orders of events and points of failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.workflows.engine.plans import plans
from tests.workflows.engine.world import World, check, replayed
from workflows.engine import paths, saga
from workflows.engine.turn import Turn
from workflows.language.plan import Plan

EXAMPLES = 2500
unhurried = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    database=None,
)


@dataclass
class Fate:
    """Chooses by a random number that hypothesis made, so that long runs cost it nothing."""

    seed: int

    def choose(self, count: int) -> int:
        self.seed = (self.seed * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.seed >> 33) % count


def lived(plan: Plan, seed: int) -> World:
    """Drive one run of the plan to its end and hold it against the promises."""
    world = World(plan, Fate(seed))
    world.run()
    check(world)
    return world


@unhurried
@given(plans(), st.integers(0, 2**64 - 1))
def test_engine_keeps_its_promises(plan: Plan, seed: int) -> None:
    """Every run ends; what is due is undone once, in reverse; nothing starts once it unwinds; replay is equal."""
    world = lived(plan, seed)
    state, commands = replayed(world)
    assert state == world.state
    assert commands == world.commands


def _forward(turn: Turn) -> None:
    turn.state.armed.reverse()
    _compensate_if_settled(turn)


_compensate_if_settled: Callable[[Turn], None] = saga.compensate_if_settled


@pytest.mark.parametrize("bug", ["forward order", "unknown outcome dropped", "all compensations at once"])
def test_properties_catch_a_planted_bug(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The promises are worth something: an engine with a planted bug breaks them."""
    if bug == "forward order":
        monkeypatch.setattr(saga, "compensate_if_settled", _forward)
    elif bug == "unknown outcome dropped":
        for module in (saga, paths):
            monkeypatch.setattr(module, "arm_unknown", lambda *_: None)
    else:
        monkeypatch.setattr(saga, "_undoing", lambda _: False)
    with pytest.raises(AssertionError):
        _search()


def _search() -> None:
    # It is enough to find a bug: making the example small takes longer than finding it.
    @settings(unhurried, max_examples=400, report_multiple_bugs=False, phases=[Phase.generate])
    @given(plans(), st.integers(0, 2**64 - 1))
    def run(plan: Plan, seed: int) -> None:
        lived(plan, seed)

    run()
