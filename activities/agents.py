"""The reference domain: agents, each with a knowledge base and a pattern store.

The actions take the run's input, so that a definition needs no `with`, and find the agent that the run has made by
the run. The input is read leniently: `agent_id`, `name` and `created_by` may be absent, keys may be in camel case,
further keys are ignored. That a cognitive pattern is in the table of patterns is found out when its store is made, in
the middle of the run.
"""

from __future__ import annotations

from typing import Annotated, Final
from uuid import uuid5

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints

from activities.action import IDS, Call, action
from activities.events import event_of
from activities.problems import PermanentProblemError
from contracts.json import Json
from contracts.problems import REJECTED, Problem
from store import agents
from store.agents import Agent

EVENT_READY: Final = "agent.ready"
EVENT_WITHDRAWN: Final = "agent.withdrawn"
DEFAULT_PATTERN: Final = "adaptive"
DEFAULT_DOMAIN: Final = "general"

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class AgentRequest(BaseModel):
    """Who is to be created. Only `type` is needed; other keys of the event are ignored."""

    model_config = ConfigDict(extra="ignore")

    type: Name = Field(description="What the agent does, such as `researcher`.")
    agent_id: Name | None = Field(
        None,
        validation_alias=AliasChoices("agent_id", "agentId"),
        description="Its id; without one it gets an id of its own.",
    )
    name: Name | None = Field(None, description="For people; without one it is its type.")
    cognitive_pattern: Name = Field(
        DEFAULT_PATTERN,
        validation_alias=AliasChoices("cognitive_pattern", "cognitivePattern"),
        description="How it thinks, such as `systems`.",
    )
    created_by: Name | None = Field(None, validation_alias=AliasChoices("created_by", "createdBy"))


class RunInput(BaseModel):
    """The run's input, of which these actions need nothing: they find the agent by the run."""

    model_config = ConfigDict(extra="ignore")

    domain: Name = Field(DEFAULT_DOMAIN, description="What the knowledge base is about.")


class AgentDescription(BaseModel):
    """An agent, complete."""

    agent_id: str
    name: str
    type: str
    cognitive_pattern: str
    created_by: str | None


class KnowledgeBase(BaseModel):
    """What `initializeKnowledgeBase` gives."""

    agent_id: str
    domain: str


class PatternStore(BaseModel):
    """What `initializePatternStore` gives."""

    agent_id: str
    cognitive_pattern: str


class Notification(BaseModel):
    """What `sendCreationNotification` gives."""

    agent_id: str
    event_id: str


class Rollback(BaseModel):
    """What `rollbackAgentCreation` gives: how many of each it removed."""

    agents: int
    knowledge_bases: int
    pattern_stores: int


@action("validateAgentInput", local=True)
async def validate_agent_input(given: AgentRequest, call: Call) -> AgentDescription:
    """Check who is to be created, and fill in what was left out."""
    return _described(_agent(given, call))


@action("createAgentRecord")
async def create_agent_record(given: AgentRequest, call: Call) -> AgentDescription:
    """Create the agent's record."""
    return _described(await agents.create_agent(call.resources.opened_database(), _agent(given, call)))


@action("initializeKnowledgeBase")
async def initialize_knowledge_base(given: RunInput, call: Call) -> KnowledgeBase:
    """Give the run's agent a knowledge base."""
    agent = await _agent_of_run(call)
    await agents.create_knowledge_base(
        call.resources.opened_database(), agent, given.domain, call.context.idempotency_key
    )
    return KnowledgeBase(agent_id=agent.agent_id, domain=given.domain)


@action("initializePatternStore")
async def initialize_pattern_store(given: RunInput, call: Call) -> PatternStore:
    """Give the run's agent a store for its cognitive pattern, which must be a known one."""
    agent = await _agent_of_run(call)
    await agents.create_pattern_store(call.resources.opened_database(), agent, call.context.idempotency_key)
    return PatternStore(agent_id=agent.agent_id, cognitive_pattern=agent.cognitive_pattern)


@action("sendCreationNotification")
async def send_creation_notification(given: RunInput, call: Call) -> Notification:
    """Tell the event bus that the run's agent is ready."""
    agent = await _agent_of_run(call)
    data: Json = {"agent_id": agent.agent_id, "name": agent.name, "type": agent.type, "created_by": agent.created_by}
    event = event_of(call, EVENT_READY, data, key=agent.agent_id)
    # Noted first: a rollback that comes in between withdraws an announcement that may have gone out, rather than none.
    await agents.record_notification(call.resources.opened_database(), agent, call.stable_id())
    await call.resources.opened_publisher().publish(event)
    return Notification(agent_id=agent.agent_id, event_id=event.id)


@action("rollbackAgentCreation")
async def rollback_agent_creation(given: RunInput, call: Call) -> Rollback:
    """Remove what the run has created, and withdraw what it announced; nothing there is a success."""
    database = call.resources.opened_database()
    for row in await agents.notified_agents(database, call.context.run):
        agent_id = str(row["agent_id"])
        event = event_of(call, EVENT_WITHDRAWN, {"agent_id": agent_id}, key=agent_id, purpose=agent_id)
        await call.resources.opened_publisher().publish(event)
    removed = await agents.remove_agents(database, call.context.run, call.context.undoes)
    return Rollback(
        agents=removed.agents, knowledge_bases=removed.knowledge_bases, pattern_stores=removed.pattern_stores
    )


def _agent(given: AgentRequest, call: Call) -> Agent:
    return Agent(
        agent_id=given.agent_id or f"agent-{_id_of_run(call)}",
        name=given.name or given.type,
        type=given.type,
        cognitive_pattern=given.cognitive_pattern,
        created_by=given.created_by,
        run_id=call.context.run,
        idempotency_key=call.context.idempotency_key,
    )


def _id_of_run(call: Call) -> str:
    return str(uuid5(IDS, call.context.run))


def _described(agent: Agent) -> AgentDescription:
    return AgentDescription(
        agent_id=agent.agent_id,
        name=agent.name,
        type=agent.type,
        cognitive_pattern=agent.cognitive_pattern,
        created_by=agent.created_by,
    )


async def _agent_of_run(call: Call) -> Agent:
    agent = await agents.agent_of_run(call.resources.opened_database(), call.context.run)
    if agent is None:
        detail = "This run has created no agent, or it was rolled back; `createAgentRecord` comes first."
        raise PermanentProblemError(Problem(REJECTED, "No agent", 409, detail))
    return agent
