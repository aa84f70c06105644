"""Children of the stack that are killed: told at once, started again with their state, and given up if they cannot."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from functools import partial
from pathlib import Path

import pytest
from aio_pika.exceptions import AMQPError

from cli.stack import postgres, rabbitmq
from cli.stack.errors import ServiceFailedError
from cli.stack.events import Happening, Service, StackEvent
from cli.stack.folder import StateFolder
from cli.stack.process import start_time
from cli.stack.stack import StackSettings, running
from tests.cli.stack.test_stack import assert_traces, leave_traces, pids
from tests.support.services.rabbitmq import Broker
from tests.support.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.fault


def _kill(state_dir: Path, name: str) -> None:
    os.kill(json.loads(StateFolder.at(state_dir).pid_file(name).read_text())["pid"], signal.SIGKILL)


async def _told(events: list[StackEvent], part: str, happening: Happening, count: int) -> None:
    async def so_often() -> bool:
        return len([one for one in events if (one.part, one.happening) == (part, happening)]) >= count

    await eventually(so_often)


async def _is_registered(state_dir: Path, queue: str) -> bool:
    """Whether it stands on the node's disk that it has to start this quorum queue again."""
    quorum = StateFolder.at(state_dir).part("rabbitmq") / "mnesia" / rabbitmq.NODE / "quorum" / rabbitmq.NODE
    return queue.encode() in (quorum / "names.dets").read_bytes()


async def test_killed_children_are_told_and_started_again_with_their_state(state_dir: Path) -> None:
    """Run, row and message are there afterwards, at the same addresses; at the end all are stopped."""
    events: list[StackEvent] = []
    killed = {"Temporal": "temporal", "PostgreSQL": "postgres", "RabbitMQ": "rabbitmq"}
    async with running(StackSettings(state_dir, ui=False, usual_ports=False), events.append) as addresses:
        await leave_traces(addresses)
        # RabbitMQ has a quorum queue that was declared a moment before never again.
        await eventually(partial(_is_registered, state_dir, "trace"))
        for part, name in killed.items():
            _kill(state_dir, name)
            await _told(events, part, Happening.STARTED, 2)

        async def traces_are_there() -> bool:
            try:
                await assert_traces(addresses)
            except AMQPError:  # a queue has no leader yet
                return False
            return True

        await eventually(traces_are_there)
        children = pids(state_dir)
    assert [start_time(pid) for pid in children] == [None] * 4
    notes = {event.part: event.note for event in events if event.happening is Happening.NOTE}
    assert notes.keys() == killed.keys()
    assert all("was killed by SIGKILL: starting it again in" in note for note in notes.values())


async def test_killed_port_mapper_is_told_too(
    state_dir: Path, temporal_service: Service, postgres_service: Service
) -> None:
    """A part is as alive as each of its programs."""
    events: list[StackEvent] = []
    settings = StackSettings(
        state_dir, temporal_address=temporal_service.url, database_url=postgres_service.url, usual_ports=False
    )
    async with running(settings, events.append):
        _kill(state_dir, "epmd")
        await _told(events, "RabbitMQ", Happening.STARTED, 2)


async def test_child_that_cannot_live_is_given_up(
    state_dir: Path, temporal_service: Service, rabbitmq_node: Broker
) -> None:
    """After some tries, with growing pauses, the block is cancelled and the error says which part, and what it said."""
    events: list[StackEvent] = []
    settings = StackSettings(
        state_dir, temporal_address=temporal_service.url, amqp_url=rabbitmq_node.service.url, usual_ports=False
    )
    with pytest.raises(ServiceFailedError, match="given up") as caught:
        async with asyncio.timeout(PATIENCE_SECONDS), running(settings, events.append):
            for data in (state_dir / "postgres", postgres._elsewhere(state_dir) / "postgres"):
                (data / "PG_VERSION").unlink(missing_ok=True)
            _kill(state_dir, "postgres")
            await asyncio.Event().wait()
    assert "PostgreSQL" in str(caught.value)
    assert "PG_VERSION" in str(caught.value)
    notes = [event.note for event in events if event.happening is Happening.NOTE]
    assert len(notes) == 6
    assert notes[-1].endswith("given up, everything stops")
    assert pids(state_dir) == []
