"""Comparing and applying on a real broker: what is missing, what differs, and that nothing is changed unasked."""

from __future__ import annotations

from datetime import timedelta

from bridge.amqp.comparison import apply, compare, surplus
from bridge.amqp.connection import connected
from bridge.amqp.topology import declare
from bridge.topology.diff import Difference, Finding, State, agrees
from bridge.topology.layout import layout
from bridge.topology.model import MAX_PARTITIONS, Binding, Declarations, Exchange, Queue, Topology

WANTED = Declarations(
    exchanges=(Exchange("there", "topic"), Exchange("absent", "direct")),
    queues=(Queue("same", {"x-queue-type": "quorum"}), Queue("other", {"x-queue-type": "quorum", "x-max-length": 5})),
    bindings=(
        Binding("there", "same", routing_key="a"),
        Binding("absent", "same"),
        Binding("there", "absent", "exchange"),
    ),
)
THERE = Declarations(
    exchanges=(Exchange("there", "topic"),),
    queues=(Queue("same", {"x-queue-type": "quorum"}), Queue("other", {"x-queue-type": "quorum", "x-max-length": 9})),
)


def _states(findings: tuple[Finding, ...]) -> dict[str, State]:
    return {finding.name: finding.state for finding in findings}


async def test_empty_broker_lacks_everything(amqp_url: str) -> None:
    """All is missing, and looking makes nothing."""
    async with connected(amqp_url, "tests") as connection:
        for _ in range(2):
            assert set(_states(await compare(connection, WANTED)).values()) == {State.MISSING}


async def test_comparison_tells_what_is_there_missing_and_different(amqp_url: str) -> None:
    """The argument that differs comes with both values; a binding between parts that are there cannot be told."""
    async with connected(amqp_url, "tests") as connection:
        await declare(connection, THERE)
        findings = await compare(connection, WANTED)
    assert _states(findings) == {
        "there": State.PRESENT,
        "absent": State.MISSING,
        "same": State.PRESENT,
        "other": State.DIFFERS,
        "there -> same (a)": State.UNKNOWN,
        "absent -> same": State.MISSING,
        "there -> absent": State.MISSING,
    }
    assert findings[3].difference == Difference("queue", "other", "x-max-length", "5", "9")


async def test_apply_declares_what_is_missing_and_leaves_the_rest(amqp_url: str) -> None:
    """What differs stays as it is and is told each time; the rest is there afterwards."""
    async with connected(amqp_url, "tests") as connection:
        await declare(connection, THERE)
        before = await apply(connection, WANTED)
        assert State.MISSING in _states(before).values()
        after = _states(await apply(connection, WANTED))
    assert after.pop("other") is State.DIFFERS
    assert set(after.values()) == {State.PRESENT, State.UNKNOWN}


async def test_own_layout_agrees_with_itself(amqp_url: str) -> None:
    """What was declared is what the comparison finds."""
    wanted = layout(Topology(partitions=2), ("#",), timedelta(days=7))
    async with connected(amqp_url, "tests") as connection:
        await declare(connection, wanted)
        assert agrees(await compare(connection, wanted))


async def test_partitions_beyond_those_that_are_wanted_are_surplus(amqp_url: str) -> None:
    """Of every class; where there are as many as are wanted, or fewer, there is none."""
    async with connected(amqp_url, "tests") as connection:
        await declare(connection, layout(Topology(partitions=3), ("#",), timedelta(days=7)))
        found = await surplus(connection, Topology(partitions=1))
        assert _states(found) == {
            f"saga.{name}.{number}": State.SURPLUS for name in ("high", "normal", "low") for number in (1, 2)
        }
        assert not agrees(found)
        assert "rabbitmqctl delete_queue saga.high.1" in found[0].cure
        for partitions in (3, 4, MAX_PARTITIONS):
            assert await surplus(connection, Topology(partitions=partitions)) == ()
