"""Rollouts that an operator set while the system runs; each counts instead of the one in its version's file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from store.database import Database
from store.queries import load

_SQL: Final = load("rollouts")


@dataclass(frozen=True, slots=True)
class SetRollout:
    """The percentage (0 to 100) that somebody set for a version."""

    definition: str
    version: str
    percent: float
    changed_at: datetime
    changed_by: str


async def set_rollout(database: Database, definition: str, version: str, percent: float, by: str) -> None:
    """Set the percentage of a version, 0 to 100; it counts within a second or two, everywhere."""
    await database.fetch(_SQL["set"], definition, version, percent, by)


async def clear_rollout(database: Database, definition: str, version: str) -> bool:
    """Let the file of a version count again; return whether something was set."""
    return bool(await database.fetch(_SQL["clear"], definition, version))


async def rollouts(database: Database) -> list[SetRollout]:
    """Return what was set, by definition and version."""
    return [SetRollout(**row) for row in await database.fetch(_SQL["all"])]
