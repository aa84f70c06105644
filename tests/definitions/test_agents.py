"""agent-creation-v1 and agent-creation: success, approval, rejection and rollback, with real rows."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import CancelledError

from contracts.json import Json
from store.database import Database
from tests.definitions.hosting import Host, failure_of, waiting
from tests.definitions.shipped import shipped
from tests.support.recording_publisher import RecordingPublisher
from workflows.language.triggers import EventTrigger, Signal
from workflows.temporal.starting import signal_run

REQUEST = {
    "agent_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    "type": "researcher",
    "cognitive_pattern": "systems",
    "created_by": "user123",
}
APPROVED = "agent.approved"
UNKNOWN = REQUEST | {"cognitive_pattern": "telepathic"}


async def agents(database: Database) -> list[str]:
    """Return the ids of all agents."""
    return [str(row["agent_id"]) for row in await database.fetch("select agent_id from saga.agents")]


async def test_seed_workflow_creates_the_agent(host: Host, database: Database, publisher: RecordingPublisher) -> None:
    """The three steps of the parallel have their effects; its result is a map by step."""
    result = await host.execute("agent-creation-v1", REQUEST)
    assert sorted(result) == ["initialize-knowledge", "initialize-patterns", "send-notification"]
    assert await agents(database) == [REQUEST["agent_id"]]
    assert publisher.types() == ["agent.ready"]


async def test_seed_workflow_rolls_back(host: Host, database: Database, publisher: RecordingPublisher) -> None:
    """A pattern that does not exist fails in the middle, and nothing stays."""
    failed = await host.failure("agent-creation-v1", UNKNOWN)
    assert failed.type == "rejected"
    assert await agents(database) == []
    assert publisher.types().count("agent.ready") == publisher.types().count("agent.withdrawn")


async def test_seed_workflow_cleans_up_when_creation_fails(host: Host, database: Database) -> None:
    """`onError` leads to cleanup, which removes nothing of another run."""
    await host.execute("agent-creation-v1", REQUEST)
    result = await host.execute("agent-creation-v1", REQUEST)
    assert "agent-exists" in str(result)
    assert await agents(database) == [REQUEST["agent_id"]]


async def test_agent_creation_waits_for_a_person(host: Host, database: Database, publisher: RecordingPublisher) -> None:
    """The question is put with what the approver must know; after the approval the rest is done."""
    run = await host.start("agent-creation", REQUEST)
    question = await waiting(run)
    assert question["title"] == "Put the agent researcher into service?"
    assert question["show"]["thinks"] == "systems"
    assert publisher.published == []
    await run.signal("approve", {"step": "approve-agent", "approver": "alice"})
    result = await run.result()
    assert result["agent_id"] == REQUEST["agent_id"]
    assert result["announced_as"] == publisher.published[0][0].id
    assert await agents(database) == [REQUEST["agent_id"]]


async def test_agent_creation_is_approved_by_an_event(host: Host, database: Database) -> None:
    """The trigger for agent.approved leads to the same signal, with the event beside it."""
    definition = shipped().resolve("agent-creation")
    assert definition is not None
    [signal] = [each.does for each in definition.triggers if isinstance(each, EventTrigger) and each.event == APPROVED]
    assert isinstance(signal, Signal)
    event: dict[str, Json] = {"id": "e-1", "type": APPROVED, "data": {"agent_id": "a-1", "approved_by": "carol"}}
    data: Json = {"step": "approve-agent", "approver": "carol"}
    run = await host.start("agent-creation", REQUEST)
    await signal_run(host.client, run.id, signal.name, data, event=event, message_id="e-1")
    await run.result()
    assert await agents(database) == [REQUEST["agent_id"]]


async def test_agent_creation_rolls_back_on_rejection(
    host: Host, database: Database, publisher: RecordingPublisher
) -> None:
    """Who says no has the record removed."""
    run = await host.start("agent-creation", REQUEST)
    await waiting(run)
    await run.signal("reject", {"step": "approve-agent", "approver": "bob", "comment": "not now"})
    failed = await failure_of(run)
    assert failed.type == "rejected"
    assert "bob" in str(failed.details)
    assert await agents(database) == []
    assert publisher.published == []


async def test_agent_creation_rolls_back_after_the_approval(
    host: Host, database: Database, publisher: RecordingPublisher
) -> None:
    """A failure of the data, not of a switch: the pattern is unknown, the record goes, nobody hears of it."""
    run = await host.start("agent-creation", UNKNOWN)
    await waiting(run)
    await run.signal("approve", {"step": "approve-agent", "approver": "alice"})
    failed = await failure_of(run)
    assert "telepathic" in str(failed.details)
    assert await agents(database) == []
    assert publisher.published == []


async def test_agent_creation_refuses_a_malformed_request(host: Host, database: Database) -> None:
    """Without a type no step runs."""
    failed = await host.failure("agent-creation", {"agent_id": "x"})
    assert failed.type == "validation"
    assert await agents(database) == []


async def test_agent_creation_rolls_back_on_cancellation(host: Host, database: Database) -> None:
    """A withdrawn request leaves nothing."""
    run = await host.start("agent-creation", REQUEST)
    await waiting(run)
    await run.cancel()
    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    assert isinstance(caught.value.cause, CancelledError)
    assert await agents(database) == []
