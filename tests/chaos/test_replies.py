"""Answers get lost after the request was carried out: the bridge asks again, and nothing happens twice."""

from __future__ import annotations

import pytest

from tests.chaos.size import SEED, sized
from tests.chaos.stage import Stage
from tests.chaos.thief import Picks, any_answer, commits, confirms, thieving

_CHANCE = 0.05


@pytest.mark.parametrize(
    ("service", "picks"),
    [("temporal", any_answer), ("database", commits), ("amqp", confirms)],
    ids=["Temporal", "PostgreSQL-commits", "RabbitMQ-confirms"],
)
async def test_lost_answers_lose_and_repeat_nothing(stage: Stage, service: str, picks: Picks) -> None:
    """One in twenty answers to the bridge is stolen, and the connection with it."""
    url = vars(stage.bridges.addresses)[service]
    async with thieving(url, picks, _CHANCE, SEED) as (thief, past):
        await stage.bridges.through(**{service: past}).started()
        async with stage.loading() as load:
            await thief.steals(sized(8, 60), stage.bridges)
            stage.ledger.notes["answers stolen"] = thief.thefts
            await stage.recovered()
            await load.passes(sized(20, 200))
        await stage.check()
