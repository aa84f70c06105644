"""The time-skipping server, ready for runs of the product."""

from __future__ import annotations

from contextlib import suppress

import pytest
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from cli.stack.temporal import SEARCH_ATTRIBUTES


@pytest.fixture
async def patient_client(time_skipping: WorkflowEnvironment) -> Client:
    """A client of the server that skips time; the server knows the search attributes of runs."""
    for name, kind in SEARCH_ATTRIBUTES.items():
        request = AddSearchAttributesRequest(namespace=time_skipping.client.namespace, search_attributes={name: kind})
        with suppress(RPCError):  # it is there already
            await time_skipping.client.operator_service.add_search_attributes(request)
    return time_skipping.client
