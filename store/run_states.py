"""One run of the projection, at any of its events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from store.database import Database
from store.queries import load

_SQL: Final = load("run_states")


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as the projection has it.

    Attributes:
        sequence: Number of its latest event.
        written: How many of its events are there; fewer than `sequence` = some are missing.
    """

    id: str
    workflow_id: str
    definition: str
    version: str
    digest: str
    status: str
    sequence: int
    written: int
    started_at: datetime
    changed_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """What leads to one state: the last whole state before it, or None, and the events behind it, by number."""

    sequence: int
    whole: dict[str, Any] | None
    events: dict[int, dict[str, Any]]


async def find_run(database: Database, name: str) -> StoredRun | None:
    """Return the run with this run id, or the latest with this workflow id."""
    rows = await database.fetch(_SQL["find"], name)
    return StoredRun(**rows[0]) if rows else None


async def stretch(database: Database, run_id: str, number: int) -> Stretch:
    """Return what leads to the state after event `number`."""
    found = await database.fetch(_SQL["whole_before"], run_id, number)
    first, whole = (found[0]["sequence"], found[0]["state"]) if found else (0, None)
    events = await database.fetch(_SQL["events_between"], run_id, first, number)
    return Stretch(first, whole, {row["sequence"]: row["event"] for row in events})


async def has_moved(database: Database, run_id: str) -> bool:
    """Tell whether the run has moved from one version to another."""
    return bool(await database.fetch(_SQL["moves"], run_id))


async def whole_numbers(database: Database, run_id: str) -> list[int]:
    """Return the numbers at which whole states are kept."""
    return [row["sequence"] for row in await database.fetch(_SQL["whole_numbers"], run_id)]
