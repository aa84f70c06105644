"""Which runs are open on a version, by Temporal's visibility, which lags a moment behind."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.client import Client

from cli.output import counted
from contracts.names import ATTRIBUTE_DEFINITION, ATTRIBUTE_VERSION, pin
from workflows.temporal.statuses import OPEN

_EXAMPLES = 5


@dataclass(frozen=True)
class OpenRuns:
    """The open runs of a version: how many, and the workflow ids of some."""

    number: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = ", ..." if self.number > len(self.examples) else ""
        return f"{counted(self.number, 'open run')}{': ' if self.examples else ''}{', '.join(self.examples)}{more}"


async def count_open(client: Client, definition: str, version: str, digest: str) -> int:
    """Return how many runs are open on a version.

    Raises:
        RPCError: Temporal refuses, or is away.
    """
    return (await client.count_workflows(_query(definition, version, digest))).count


async def open_runs(client: Client, definition: str, version: str, digest: str, task_queue: str) -> OpenRuns:
    """Return which runs of a task queue are open on a version.

    Raises:
        RPCError: Temporal refuses, or is away.
    """
    query = f"{_query(definition, version, digest)} AND TaskQueue = '{task_queue}'"
    found = [run.id async for run in client.list_workflows(query, limit=_EXAMPLES)]
    number = (await client.count_workflows(query)).count if len(found) == _EXAMPLES else len(found)
    return OpenRuns(number, tuple(found))


def _query(definition: str, version: str, digest: str) -> str:
    parts = (
        f"{ATTRIBUTE_DEFINITION} = '{definition}'",
        f"{ATTRIBUTE_VERSION} = '{pin(version, digest)}'",
        OPEN,
    )
    return " AND ".join(parts)
