"""Temporal for tests: the real development server, and the one whose time can be skipped."""

from __future__ import annotations

import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from cli.stack import temporal
from cli.stack.events import Service
from cli.stack.folder import StateFolder


@pytest.fixture(scope="session")
async def temporal_service(stack_folder: StateFolder) -> AsyncIterator[Service]:
    """The real server with our search attributes, without a UI; `.url` is `host:port`, the namespace is `default`."""
    ports = temporal.choose_ports(ui=False, preferred=(), preferred_ui=())
    async with temporal.serving(stack_folder, ports) as service:
        yield service


@pytest.fixture
async def client(temporal_service: Service) -> Client:
    """A plain client of the real server. Tests choose their own task queues and workflow ids."""
    return await Client.connect(temporal_service.url, namespace=temporal.NAMESPACE)


@pytest.fixture(scope="session")
async def time_skipping() -> AsyncIterator[WorkflowEnvironment]:
    """The server that skips time while every workflow waits; days pass in milliseconds."""
    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(binary)) as environment:
        # This server cannot list what is registered, so nothing is looked up first.
        attributes = temporal.SEARCH_ATTRIBUTES
        request = AddSearchAttributesRequest(namespace=environment.client.namespace, search_attributes=attributes)
        await environment.client.operator_service.add_search_attributes(request)
        yield environment
