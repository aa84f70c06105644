"""Two bridges share the work, and many of the messages are repetitions."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from tests.chaos.environment import ChaosEnvironment
from tests.chaos.message_sequences import Publication, SequenceGenerator
from tests.chaos.producers import Sender
from tests.chaos.size import SEED, sized

pytestmark = pytest.mark.fault

_REPEATED = 0.43  # of the originals, which makes 30 % of all
_IDS = sized(60, 1_000)
_MOST_COPIES = 5
_SPREAD = 40
_SENDERS = 4


async def test_two_bridges_with_many_repetitions_handle_each_event_once(env: ChaosEnvironment) -> None:
    """One of them is killed at random moments, and another takes its place."""
    chance = random.Random(f"{SEED}-two")  # noqa: S311 - faults, not secrets
    await env.bridges.started()
    await env.bridges.started()
    async with env.loading(repeated=_REPEATED) as load:
        for _ in range(sized(2, 15)):
            await load.wait_for_confirms(chance.randint(20, sized(60, 200)))
            await chance.choice(env.bridges.running).kill()
            env.ledger.notes["kills"] += 1
            await env.recovered()
            await env.bridges.started()
        await load.wait_for_confirms(sized(30, 300))
    await env.check()


def _interleaved(publications: Sequence[Publication], chance: random.Random) -> list[Publication]:
    """Return one to five copies of each, spread over those of its neighbours."""
    places = [
        (at + chance.uniform(0, _SPREAD), publication)
        for at, publication in enumerate(publications)
        for _ in range(chance.randint(1, _MOST_COPIES))
    ]
    return [publication for _, publication in sorted(places, key=lambda place: place[0])]


async def _send_all(env: ChaosEnvironment, publications: Sequence[Publication]) -> None:
    """Publish by several producers, so that copies of one id are in flight at once."""

    async def send(mine: Sequence[Publication]) -> None:
        sender = Sender(env.amqp_url, env.state_reader.database, env.ledger)
        for publication in mine:
            await sender.send(publication)
        await sender.close()

    await asyncio.gather(*(send(publications[number::_SENDERS]) for number in range(_SENDERS)))


async def test_copies_of_an_id_start_one_run_though_bridges_die_before_they_acknowledge(env: ChaosEnvironment) -> None:
    """Both die again and again after Temporal has started the run, and before the message is acknowledged."""
    chance = random.Random(f"{SEED}-copies")  # noqa: S311 - faults, not secrets
    await (await env.bridges.started()).stop()
    generator = SequenceGenerator(f"{env.name}-copies", SEED, {"quick": 1})
    sequences = [generator.sequence() for _ in range(_IDS)]
    for sequence in sequences:
        env.ledger.add(sequence)
    published = [publication for sequence in sequences for publication in sequence.publications]
    sending = asyncio.create_task(_send_all(env, _interleaved(published, chance)))
    for _ in range(sized(2, 12)):
        dying = [await env.bridges.start("after-start", chance.randint(2, sized(6, 40))) for _ in range(2)]
        await asyncio.gather(*(bridge.died() for bridge in dying))
        env.ledger.notes["kills"] += len(dying)
    await env.bridges.started()
    await env.bridges.started()
    await sending
    await env.check()
