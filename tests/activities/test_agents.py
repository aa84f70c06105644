"""The reference domain: real rows, real events, and back again."""

from __future__ import annotations

from typing import Any

import pytest

from activities.agents import (
    create_agent_record,
    initialize_knowledge_base,
    initialize_pattern_store,
    rollback_agent_creation,
    send_creation_notification,
    validate_agent_input,
)
from activities.resources import Resources
from contracts.errors import TemporaryError
from contracts.steps import StepContext
from store.database import Database
from tests.activities.carrying import carry_out, context, failure, problem
from tests.support.recording_publisher import RecordingPublisher

EVENT_DATA = {
    "agent_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    "type": "researcher",
    "cognitive_pattern": "systems",
    "created_by": "user123",
}


def step(name: str, run: str = "run-1", **members: Any) -> StepContext:
    """Return the context of a step of a run."""
    return context(name, run=run, **members)


async def rows(database: Database) -> tuple[int, ...]:
    """Return the number of rows in each of the domain's tables."""
    counts = [
        await database.fetch("select count(*) as n from saga.agents"),
        await database.fetch("select count(*) as n from saga.knowledge_bases"),
        await database.fetch("select count(*) as n from saga.pattern_stores"),
        await database.fetch("select count(*) as n from saga.notifications"),
    ]
    return tuple(int(count[0]["n"]) for count in counts)


async def create_all(resources: Resources, given: Any = EVENT_DATA) -> None:
    """Carry out all steps of the seed's workflow."""
    await carry_out(create_agent_record, resources, given, step("create-agent"))
    await carry_out(initialize_knowledge_base, resources, given, step("initialize-knowledge"))
    await carry_out(initialize_pattern_store, resources, given, step("initialize-patterns"))
    await carry_out(send_creation_notification, resources, given, step("send-notification"))


@pytest.mark.parametrize(
    ("given", "described"),
    [
        (EVENT_DATA, EVENT_DATA | {"name": "researcher"}),
        (
            {
                "type": " coder ",
                "agentId": "x",
                "cognitivePattern": "lateral",
                "createdBy": "me",
                "name": "Ada",
                "more": 1,
            },
            {"agent_id": "x", "type": "coder", "cognitive_pattern": "lateral", "created_by": "me", "name": "Ada"},
        ),
    ],
)
async def test_validate_reads_events_and_direct_input(outside: Resources, given: Any, described: Any) -> None:
    """Both spellings are read, further keys are ignored, the name falls back to the type."""
    assert await carry_out(validate_agent_input, outside, given) == described


async def test_validate_gives_an_agent_an_id_of_its_run(outside: Resources) -> None:
    """Without an id there is one for each run, the same in every step."""
    first = await carry_out(validate_agent_input, outside, {"type": "coder"}, step("a"))
    second = await carry_out(validate_agent_input, outside, {"type": "coder"}, step("b"))
    other = await carry_out(validate_agent_input, outside, {"type": "coder"}, step("a", "run-2"))
    assert first == second
    assert first["agent_id"] != other["agent_id"]
    assert first["cognitive_pattern"] == "adaptive"


@pytest.mark.parametrize("given", [{}, {"type": " "}, {"type": 5}, {"type": "x" * 201}, None, "researcher"])
async def test_validate_refuses_what_is_no_agent(outside: Resources, given: Any) -> None:
    """A type is needed."""
    assert (await failure(validate_agent_input, outside, given)).type == "validation"


async def test_creation_makes_real_rows_and_a_real_event(
    resources: Resources, database: Database, publisher: RecordingPublisher
) -> None:
    """Each step leaves its row, and the bus hears of the agent."""
    await create_all(resources)
    assert await rows(database) == (1, 1, 1, 1)
    event, _ = publisher.published[0]
    assert (event.type, event.metadata["group_id"]) == ("agent.ready", EVENT_DATA["agent_id"])
    assert event.data == {
        "agent_id": EVENT_DATA["agent_id"],
        "name": "researcher",
        "type": "researcher",
        "created_by": "user123",
    }


async def test_creation_twice_changes_nothing(
    resources: Resources, database: Database, publisher: RecordingPublisher
) -> None:
    """A repeated attempt of each step finds its effect."""
    await create_all(resources)
    await create_all(resources)
    assert await rows(database) == (1, 1, 1, 1)
    assert publisher.published[0] == publisher.published[1]


async def test_create_refuses_another_runs_agent(resources: Resources) -> None:
    """Two runs cannot make one agent."""
    await carry_out(create_agent_record, resources, EVENT_DATA, step("create-agent"))
    error = await failure(create_agent_record, resources, EVENT_DATA, step("create-agent", "run-2"))
    assert (error.type, problem(error)["code"], error.non_retryable) == ("rejected", "agent-exists", True)


async def test_pattern_store_refuses_an_unknown_pattern(resources: Resources) -> None:
    """What validation let pass fails for real in the middle of the run, and the known patterns are listed."""
    given = EVENT_DATA | {"cognitive_pattern": "telepathic"}
    await carry_out(create_agent_record, resources, given, step("create-agent"))
    error = await failure(initialize_pattern_store, resources, given, step("initialize-patterns"))
    assert (error.type, problem(error)["code"]) == ("rejected", "unknown-pattern")
    assert "systems" in problem(error)["detail"]


@pytest.mark.parametrize(
    "action", [initialize_knowledge_base, initialize_pattern_store, send_creation_notification], ids=lambda a: a.name
)
async def test_steps_need_the_runs_agent(resources: Resources, action: Any) -> None:
    """Another run's agent is not taken."""
    await carry_out(create_agent_record, resources, EVENT_DATA, step("create-agent"))
    error = await failure(action, resources, EVENT_DATA, step("x", "run-2"))
    assert (error.type, error.non_retryable) == ("rejected", True)


async def test_rollback_removes_everything_of_its_run(
    resources: Resources, database: Database, publisher: RecordingPublisher
) -> None:
    """Another run's agent stays, and what was announced is withdrawn."""
    await create_all(resources)
    await carry_out(create_agent_record, resources, {"type": "other"}, step("create-agent", "run-2"))
    undo = step("cleanup", undoes="run-1/create-agent")
    removed = await carry_out(rollback_agent_creation, resources, EVENT_DATA, undo)
    assert removed == {"agents": 1, "knowledge_bases": 1, "pattern_stores": 1}
    assert await rows(database) == (1, 0, 0, 0)
    assert publisher.types() == ["agent.ready", "agent.withdrawn"]


@pytest.mark.parametrize("undoes", [None, "run-1/create-agent"])
async def test_rollback_of_nothing_succeeds(
    resources: Resources, publisher: RecordingPublisher, undoes: str | None
) -> None:
    """Nothing there is nothing to do, as a compensation and as a step; twice as well."""
    for _ in range(2):
        removed = await carry_out(rollback_agent_creation, resources, EVENT_DATA, step("cleanup", undoes=undoes))
        assert removed == {"agents": 0, "knowledge_bases": 0, "pattern_stores": 0}
    assert publisher.published == []


async def test_rollback_keeps_a_late_attempt_from_creating(resources: Resources, database: Database) -> None:
    """An attempt that was thought dead comes after its compensation and changes nothing."""
    undo = step("cleanup", undoes="run-1/create-agent")
    await carry_out(rollback_agent_creation, resources, EVENT_DATA, undo)
    error = await failure(create_agent_record, resources, EVENT_DATA, step("create-agent"))
    assert problem(error)["code"] == "already-undone"
    assert await rows(database) == (0, 0, 0, 0)


async def test_rollback_withdraws_again_when_it_is_interrupted(
    resources: Resources, database: Database, publisher: RecordingPublisher
) -> None:
    """A broker that is away keeps the rows, so that the next attempt still knows what was announced."""
    await create_all(resources)
    publisher.failure = TemporaryError("away")
    assert (await failure(rollback_agent_creation, resources, EVENT_DATA, step("cleanup"))).type == "communication"
    assert await rows(database) == (1, 1, 1, 1)
    await carry_out(rollback_agent_creation, resources, EVENT_DATA, step("cleanup"))
    assert publisher.types() == ["agent.ready", "agent.withdrawn"]
    assert await rows(database) == (0, 0, 0, 0)


async def test_steps_without_a_database_name_the_setting(outside: Resources) -> None:
    """A worker that was given none says what it lacks; another worker may have it."""
    error = await failure(create_agent_record, outside, EVENT_DATA)
    assert (error.type, error.non_retryable) == ("communication", False)
    assert "SAGA_DATABASE_URL" in str(error)
