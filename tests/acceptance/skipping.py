"""The server that skips time, made ready for runs."""

from __future__ import annotations

from contextlib import suppress

from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from cli.stack.temporal import SEARCH_ATTRIBUTES


async def add_search_attributes(environment: WorkflowEnvironment) -> None:
    """Register the search attributes that runs carry, one by one: this server cannot list those that it has."""
    for name, kind in SEARCH_ATTRIBUTES.items():
        request = AddSearchAttributesRequest(namespace="default", search_attributes={name: kind})
        with suppress(RPCError):
            await environment.client.operator_service.add_search_attributes(request)
