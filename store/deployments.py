"""What was deployed under which version: a deployed version never changes its content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from store.database import Database
from store.queries import load

_SQL: Final = load("deployments")


@dataclass(frozen=True, slots=True)
class Deployment:
    """One version of a definition as it was first deployed."""

    definition: str
    version: str
    digest: str
    deployed_at: datetime


async def record_deployment(database: Database, definition: str, version: str, digest: str) -> str:
    """Record that `version` has the content `digest`, unless it was deployed before, and return the digest on record.

    A caller that gets another digest back than it gave has a changed file under a deployed version, and refuses it.
    """
    async with database.transaction() as session:
        await session.execute(_SQL["record"], definition, version, digest)
        rows = await session.fetch(_SQL["digest"], definition, version)
    return str(rows[0]["digest"])


async def deployments(database: Database) -> list[Deployment]:
    """Return all deployed versions, by definition, the oldest first."""
    return [Deployment(**row) for row in await database.fetch(_SQL["all"])]
