"""Answers are lost after the server has done its work: the bridge retries, and nothing happens twice."""

from __future__ import annotations

import pytest

from tests.chaos.answer_dropping_proxy import AnswerFilter, answer_dropping_proxy, any_answer, commits, confirms
from tests.chaos.environment import ChaosEnvironment
from tests.chaos.size import SEED, sized

pytestmark = pytest.mark.fault

_CHANCE = 0.05


@pytest.mark.parametrize(
    ("service", "is_droppable"),
    [("temporal", any_answer), ("database", commits), ("amqp", confirms)],
    ids=["Temporal", "PostgreSQL-commits", "RabbitMQ-confirms"],
)
async def test_lost_answers_lose_and_repeat_nothing(
    env: ChaosEnvironment, service: str, is_droppable: AnswerFilter
) -> None:
    """One in twenty answers to the bridge is dropped, and its connection cut."""
    url = vars(env.bridges.addresses)[service]
    async with answer_dropping_proxy(url, is_droppable, _CHANCE, SEED) as (proxy, proxy_url):
        await env.bridges.through(**{service: proxy_url}).started()
        async with env.loading() as load:
            await proxy.drop_answers(sized(8, 60), env.bridges)
            env.ledger.notes["answers dropped"] = proxy.dropped
            await env.recovered()
            await load.wait_for_confirms(sized(20, 200))
        await env.check()
