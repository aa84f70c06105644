"""`saga list`: the runs, by Temporal's visibility."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import click
from temporalio.client import Client, WorkflowExecution
from temporalio.common import SearchAttributeKey

from cli import connections, loop
from cli.exits import BadInputError
from cli.output import duration, print_json, print_table, when
from cli.runs import status_of
from cli.settings import Settings, load_settings
from contracts.json import Json
from contracts.names import ATTRIBUTE_DEFINITION, ATTRIBUTE_KEY, ATTRIBUTE_STATUS, ATTRIBUTE_VERSION

_DEFINITION = SearchAttributeKey.for_keyword(ATTRIBUTE_DEFINITION)
_VERSION = SearchAttributeKey.for_keyword(ATTRIBUTE_VERSION)
# What may stand between quotes in Temporal's query language without ending them.
_PLAIN = re.compile(r"[\w.:/@+ -]+")
_BY_TEMPORAL = MappingProxyType({"terminated": "Terminated", "timed-out": "TimedOut", "paused": "Paused"})


@click.command("list")
@click.option("--definition", help="Only runs of this definition.")
@click.option(
    "--status",
    help="Only runs with this status: running, waiting, compensating, completed, failed, terminated, ...",
)
@click.option("--key", help="Only the run with this business key.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(definition: str | None, status: str | None, key: str | None, limit: int, as_json: bool) -> None:
    """List runs, the newest first.

    \b
    Examples:
      saga list
      saga list --definition agent-creation --status waiting
      saga list --limit 1000 --json | jq -r '.[] | select(.status == "failed") | .workflow_id'
    """
    query = _query({ATTRIBUTE_DEFINITION: definition, ATTRIBUTE_STATUS: status, ATTRIBUTE_KEY: key})
    runs = loop.run(_fetch(load_settings(), query, status, limit))
    if as_json:
        print_json([_document(run) for run in runs])
    elif runs:
        print_table(("RUN", "VERSION", "STATUS", "STARTED", "TOOK"), [_row(run) for run in runs])
    else:
        click.echo("No runs. `saga run DEFINITION` starts one.")


async def _fetch(settings: Settings, query: str, status: str | None, limit: int) -> list[WorkflowExecution]:
    async with connections.temporal(settings) as client:
        return await _listed(client, query, status, limit)


async def _listed(client: Client, query: str, status: str | None, limit: int) -> list[WorkflowExecution]:
    """List runs; what a run that was terminated last said of itself is not how it stands."""
    runs = list[WorkflowExecution]()
    async for run in client.list_workflows(query):
        if status is None or status_of(run) == status:
            runs.append(run)
        if len(runs) == limit:
            break
    return runs


def _query(filters: Mapping[str, str | None]) -> str:
    wanted = {name: value for name, value in filters.items() if value is not None}
    for value in wanted.values():
        if not _PLAIN.fullmatch(value):
            raise BadInputError(f"{value!r} cannot be searched for: letters, digits and . : / @ + - _ only.")
    if not wanted:
        return f"{ATTRIBUTE_DEFINITION} IS NOT NULL"
    return " AND ".join(_clause(name, value) for name, value in wanted.items())


def _clause(name: str, value: str) -> str:
    own = f"{name} = '{value}'"
    if name != ATTRIBUTE_STATUS or value not in _BY_TEMPORAL:
        return own
    return f"({own} OR ExecutionStatus = '{_BY_TEMPORAL[value]}') AND {ATTRIBUTE_DEFINITION} IS NOT NULL"


def _row(run: WorkflowExecution) -> tuple[str, str, str, str, str]:
    took = "" if run.close_time is None else duration(_milliseconds(run) or 0)
    started = int(run.start_time.timestamp() * 1000)
    return run.id, _version(run), status_of(run), when(started), took


def _document(run: WorkflowExecution) -> dict[str, Json]:
    return {
        "workflow_id": run.id,
        "run_id": run.run_id,
        "definition": run.typed_search_attributes.get(_DEFINITION),
        "version": _version(run),
        "status": status_of(run),
        "started": run.start_time.isoformat(),
        "ended": run.close_time.isoformat() if run.close_time else None,
    }


def _version(run: WorkflowExecution) -> str:
    return (run.typed_search_attributes.get(_VERSION) or "").partition("+")[0]


def _milliseconds(run: WorkflowExecution) -> int | None:
    return None if run.close_time is None else int((run.close_time - run.start_time).total_seconds() * 1000)
