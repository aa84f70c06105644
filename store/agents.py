"""Rows of the reference domain: agents, knowledge bases, pattern stores, notifications.

Everything belongs to the run that made it. Each function may be called again with the same arguments and then changes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contracts.errors import PermanentError
from store.database import Database, Row, Session
from store.queries import load
from store.undone import effect, undoing

_SQL: Final = load("agents")


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent and the run and step that made it."""

    agent_id: str
    name: str
    type: str
    cognitive_pattern: str
    created_by: str | None
    run_id: str
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Removed:
    """How many rows a rollback removed."""

    agents: int
    knowledge_bases: int
    pattern_stores: int


class AgentExistsError(PermanentError):
    """An agent with this id exists already; choose another id, or leave it out to get a fresh one."""

    code = "agent-exists"


class UnknownPatternError(PermanentError):
    """This cognitive pattern is not in the table of patterns."""

    code = "unknown-pattern"


async def create_agent(database: Database, agent: Agent) -> Agent:
    """Insert the agent, or return it as it stands when the same step inserted it before.

    Raises:
        AgentExistsError: Another step or run made an agent with this id.
        AlreadyUndoneError: The step was compensated before.
    """
    async with effect(database, agent.idempotency_key) as session:
        await session.execute(
            _SQL["insert_agent"],
            agent.agent_id,
            agent.name,
            agent.type,
            agent.cognitive_pattern,
            agent.created_by,
            agent.run_id,
            agent.idempotency_key,
        )
        row = await session.fetch_row(_SQL["agent"], agent.agent_id)
    if row is None or row["idempotency_key"] != agent.idempotency_key:
        raise AgentExistsError(agent.agent_id)
    return Agent(**row)


async def agent_of_run(database: Database, run: str) -> Agent | None:
    """Return the agent that the run made (the first, where it made several), or None."""
    rows = await database.fetch(_SQL["agents_of_run"], run)
    return Agent(**rows[0]) if rows else None


async def create_knowledge_base(database: Database, agent: Agent, domain: str, key: str) -> None:
    """Give the agent a knowledge base, unless it has one."""
    async with database.transaction() as session:
        await session.execute(_SQL["insert_knowledge_base"], agent.agent_id, domain, key)


async def create_pattern_store(database: Database, agent: Agent, key: str) -> None:
    """Give the agent a store for its cognitive pattern, unless it has one.

    Raises:
        UnknownPatternError: The agent's pattern is not in `saga.cognitive_patterns`.
    """
    async with database.transaction() as session:
        if await session.fetch_row(_SQL["pattern"], agent.cognitive_pattern) is None:
            known = ", ".join(str(row["name"]) for row in await session.fetch(_SQL["patterns"]))
            raise UnknownPatternError(f"{agent.cognitive_pattern!r}; there are: {known}.")
        await session.execute(_SQL["insert_pattern_store"], agent.agent_id, agent.cognitive_pattern, key)


async def record_notification(database: Database, agent: Agent, event_id: UUID) -> None:
    """Remember that the world was told of the agent by the event `event_id`."""
    async with database.transaction() as session:
        await session.execute(_SQL["insert_notification"], event_id, agent.agent_id)


async def notified_agents(database: Database, run: str) -> list[Row]:
    """Return id and type of the run's agents of which the world was told."""
    return await database.fetch(_SQL["notified_of_run"], run)


async def remove_agents(database: Database, run: str, undoes: str | None) -> Removed:
    """Remove everything that the run made; `undoes` is the key of the step that is compensated, if it is one."""
    if undoes is None:
        async with database.transaction() as session:
            return await _remove(session, run)
    async with undoing(database, undoes) as session:
        return await _remove(session, run)


async def _remove(session: Session, run: str) -> Removed:
    pattern_stores = await session.execute(_SQL["delete_pattern_stores"], run)
    knowledge_bases = await session.execute(_SQL["delete_knowledge_bases"], run)
    agents = await session.execute(_SQL["delete_agents"], run)
    return Removed(agents, knowledge_bases, pattern_stores)
