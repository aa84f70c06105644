"""The embedded Temporal server: set up as we want it, and durable."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from cli.stack import temporal
from cli.stack.events import Service
from cli.stack.folder import StateFolder

pytestmark = pytest.mark.integration


async def test_finished_runs_are_kept_for_a_month(client: Client) -> None:
    """The namespace keeps its finished runs longer than the server's stock day."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    answer = await client.workflow_service.describe_namespace(request)
    assert answer.config.workflow_execution_retention_ttl.ToTimedelta() == timedelta(days=30)


async def test_search_attributes_may_be_there_already(client: Client) -> None:
    """Registering them again changes nothing, and is no error."""
    await temporal.ensure_search_attributes(client)


async def test_killed_server_keeps_its_runs(tmp_path: Path) -> None:
    """A run that was started just before the server was killed is there when it is started again."""
    folder = StateFolder.at(tmp_path)
    ports = temporal.choose_ports(ui=False, preferred=(), preferred_ui=())
    async with temporal.serving(folder, ports) as service:
        started = await (await connected(service)).start_workflow("any", id="kept", task_queue="nobody-listens")
        os.kill(json.loads(folder.pid_file("temporal").read_text())["pid"], signal.SIGKILL)
    async with temporal.serving(folder, ports) as service:
        description = await (await connected(service)).get_workflow_handle("kept").describe()
    assert description.run_id == started.first_execution_run_id


async def connected(service: Service) -> Client:
    """A client of a server of this test's own."""
    return await Client.connect(service.url, namespace=temporal.NAMESPACE)
