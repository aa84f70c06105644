"""Releases of the engine as versions of a Temporal worker deployment, on a real server."""

from __future__ import annotations

import uuid

from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.outbound import open_client
from activities.registry import catalog
from activities.resources import Resources
from tests.support.waiting import eventually
from workers.worker import Release, make_worker
from workflows.language.compiler import compile_sources
from workflows.temporal.starting import signal_run, start_request, start_run

TEXT = """
id: upgraded
version: 1.0.0
steps:
  - {id: before, action: data.transform, with: {value: 1}}
  - {id: wait, type: receive, signal: go}
  - {id: after, action: data.transform, with: {value: "${ steps.before.output + 1 }"}}
"""


async def test_open_runs_move_to_the_release_that_is_made_current(client: Client) -> None:
    """A run that began on the old release ends on the new one; the old worker is stopped meanwhile."""
    library = compile_sources({"a.yaml": TEXT}, catalog()).library
    assert library is not None
    name = f"saga-{uuid.uuid4().hex[:8]}"
    request = start_request(library, "upgraded", {}, key=name)
    assert request is not None
    async with open_client() as http:
        async with make_worker(client, lambda: library, Resources(http), name, release=Release(name, "0.1.0")):
            await eventually(lambda: _make_current(client, name, "0.1.0"))
            run = (await start_run(client, name, request)).workflow_id
            handle = client.get_workflow_handle(run)
            await eventually(lambda: _waits(client, run))
        async with make_worker(client, lambda: library, Resources(http), name, release=Release(name, "0.2.0")):
            await eventually(lambda: _make_current(client, name, "0.2.0"))
            await signal_run(client, run, "go", None)
            assert await handle.result() == 2
    description = (await handle.describe()).raw_description.workflow_execution_info.versioning_info
    assert description.deployment_version.build_id == "0.2.0"


async def _make_current(client: Client, deployment: str, build: str) -> bool:
    """Make a release current; its workers have to be known to the server first."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=deployment, build_id=build, identity="test"
    )
    try:
        await client.workflow_service.set_worker_deployment_current_version(request)
    except RPCError:
        return False
    return True


async def _waits(client: Client, run: str) -> bool:
    state = await client.get_workflow_handle(run).query("state")
    return bool(state["waits"])
