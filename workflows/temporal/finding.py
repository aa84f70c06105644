"""Finding runs: the latest with a workflow id, and those that wait for what an event is about.

The visibility store lags behind, and the one of the development server compares words without their case and
punctuation. So what a listing finds is compared again here, and what it does not find is no proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.converter import decode_search_attributes

from contracts.names import ATTRIBUTE_CORRELATION, ATTRIBUTE_DEFINITION
from workflows.temporal.errors import RunNotFoundError, translated
from workflows.temporal.statuses import OPEN, is_open

MOST_MATCHES = 1000
_PAGE = 200


@dataclass(frozen=True, slots=True)
class LatestRun:
    """The latest run with a workflow id. `started_by` = ids of the requests that it was started by or attached to."""

    run_id: str
    is_running: bool
    started_by: frozenset[str]


async def latest_run(client: Client, workflow_id: str) -> LatestRun | None:
    """Return the latest run, as the first execution of its chain was started; None where there was none.

    Raises:
        ServiceUnreachableError: The server does not answer.
    """
    try:
        latest = await _described(client, workflow_id, "")
        info = latest.workflow_execution_info
        continued = info.first_run_id not in ("", info.execution.run_id)
        first = await _described(client, workflow_id, info.first_run_id) if continued else latest
    except RunNotFoundError:
        return None
    return LatestRun(info.first_run_id, is_open(info.status), frozenset(first.workflow_extended_info.request_id_infos))


async def correlated_runs(client: Client, definition: str, entries: Sequence[str]) -> list[str]:
    """Return the workflow ids of the running runs of `definition` that published all of `entries`, sorted.

    Args:
        client: The Temporal client.
        definition: Id of the definition.
        entries: As `workflows.language.correlation` spells them.

    Raises:
        ServiceUnreachableError: The server does not answer.
    """
    wanted, found, token = set(entries), set[str](), b""
    query = _query(definition, entries)
    while True:
        request = ListWorkflowExecutionsRequest(
            namespace=client.namespace, page_size=_PAGE, next_page_token=token, query=query
        )
        with translated(client, f"{definition}?{'&'.join(entries)}"):
            answer = await client.workflow_service.list_workflow_executions(request, retry=True)
        for execution in answer.executions:
            published = decode_search_attributes(execution.search_attributes).get(ATTRIBUTE_CORRELATION, ())
            if wanted <= set(published):
                found.add(execution.execution.workflow_id)
        token = answer.next_page_token
        if not token or len(found) >= MOST_MATCHES:
            return sorted(found)[:MOST_MATCHES]


def _query(definition: str, entries: Sequence[str]) -> str:
    parts = [f"{ATTRIBUTE_DEFINITION} = '{definition}'", OPEN]
    return " AND ".join(parts + [f"{ATTRIBUTE_CORRELATION} = '{entry}'" for entry in entries])


async def _described(client: Client, workflow_id: str, run_id: str) -> DescribeWorkflowExecutionResponse:
    execution = WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
    request = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
    with translated(client, workflow_id):
        return await client.workflow_service.describe_workflow_execution(request, retry=True)
