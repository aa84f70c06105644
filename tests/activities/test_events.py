"""`event.publish`."""

from __future__ import annotations

import dataclasses

import pytest

from activities.events import event_publish
from activities.resources import Resources
from bridge.outbox import OutboxPublisher
from contracts.errors import TemporaryError
from store.database import Database
from store.outbox import claimed, waiting_shards
from tests.activities.carrying import SCHEDULED, carry_out, context, failure
from tests.support.recording_publisher import RecordingPublisher

GIVEN = {"event_type": "order.placed", "data": {"total": 5}}


async def test_publish_is_the_same_event_at_every_attempt(outside: Resources, publisher: RecordingPublisher) -> None:
    """Id and time do not change; another step has another id."""
    first = await carry_out(event_publish, outside, GIVEN)
    second = await carry_out(event_publish, outside, GIVEN)
    third = await carry_out(event_publish, outside, GIVEN, context("other"))
    assert first == second
    assert publisher.published[0] == publisher.published[1]
    assert publisher.published[0][0].time == SCHEDULED
    assert third["event_id"] != first["event_id"]


async def test_publish_fills_the_envelope(outside: Resources, publisher: RecordingPublisher) -> None:
    """Version, priority, key, correlation and cause travel with the event."""
    given = GIVEN | {"event_version": "2.1", "priority": 9, "key": "o-1"}
    await carry_out(event_publish, outside, given, context(correlation_id="req-1"))
    event, priority = publisher.published[0]
    assert (event.type, event.version, event.data, event.source, priority) == (
        "order.placed",
        "2.1",
        {"total": 5},
        "tests",
        9,
    )
    assert event.metadata == {
        "correlation_id": "req-1",
        "causation_id": "run-1",
        "workflow_id": "example/run-1",
        "group_id": "o-1",
    }


async def test_publish_correlates_by_run_without_an_event(outside: Resources, publisher: RecordingPublisher) -> None:
    """A run that a person started ties its events together by itself."""
    await carry_out(event_publish, outside, GIVEN)
    assert publisher.published[0][0].metadata["correlation_id"] == "run-1"


async def test_publish_reports_a_broker_that_is_away(outside: Resources, publisher: RecordingPublisher) -> None:
    """Another attempt may succeed."""
    publisher.failure = TemporaryError("away")
    error = await failure(event_publish, outside, GIVEN)
    assert (error.type, error.non_retryable) == ("communication", False)
    nobus = dataclasses.replace(outside, publisher=None)
    assert "SAGA_AMQP_URL" in str(await failure(event_publish, nobus, GIVEN))


async def test_publish_needs_no_broker_where_there_is_an_outbox(outside: Resources, database: Database) -> None:
    """The step is done once the event is in the outbox, and a repeated attempt writes the same event again."""
    resources = dataclasses.replace(outside, publisher=OutboxPublisher(database))
    given = GIVEN | {"priority": 9, "key": "o-1"}
    published = [await carry_out(event_publish, resources, given) for _ in range(2)]
    (shard,) = await waiting_shards(database)
    async with claimed(database, shard) as claim:
        assert claim is not None
        first, second = claim.rows
    assert first.event == second.event
    assert (first.event.id, first.priority, first.key) == (published[0]["event_id"], 9, "o-1")


async def test_publish_says_at_once_what_can_never_be_published(outside: Resources, database: Database) -> None:
    """The step fails, and nothing is left in the outbox."""
    resources = dataclasses.replace(outside, publisher=OutboxPublisher(database))
    error = await failure(event_publish, resources, GIVEN | {"data": "x" * 300_000})
    assert error.non_retryable
    assert await waiting_shards(database) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"event_type": "a..b"},
        {"event_type": "a.*"},
        {"event_type": ""},
        {"event_type": "a" * 256},
        {"priority": 10},
        {"priority": -1},
        {"topic": "x"},
    ],
)
async def test_publish_refuses_malformed_arguments(outside: Resources, changes: dict[str, object]) -> None:
    """A type is words with dots, a priority 0 to 9, and there are no other keys."""
    assert (await failure(event_publish, outside, GIVEN | changes)).type == "validation"
