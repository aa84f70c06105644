"""Temporal for tests: the real development server, and the one whose time can be skipped."""

from __future__ import annotations

import shlex
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment

from cli.stack import temporal
from cli.stack.events import Happening, Service
from cli.stack.folder import StateFolder
from tests.support.processes import tied_to_us


@asynccontextmanager
async def serve(folder: StateFolder) -> AsyncIterator[dict[str, Any]]:
    """Run the real server with our search attributes, without a UI, inside the block."""
    ports = temporal.choose_ports(ui=False, preferred=(), preferred_ui=())
    async with temporal.serving(folder, ports) as service:
        yield {"url": service.url}


def service_of(description: dict[str, Any]) -> Service:
    """Return the shared server; `.url` is `host:port`, the namespace is `default`."""
    return Service(description["url"], description["url"], Happening.STARTED)


@asynccontextmanager
async def skipping_time(folder: Path, **options: Any) -> AsyncIterator[WorkflowEnvironment]:
    """Run a server inside the block that skips time while every workflow waits; days pass in milliseconds.

    Its clock is one for all runs. A run that is left open, whose worker is gone, holds it for ever once a timer of its
    own has fired, because nobody carries its workflow task out. So each test has a server of its own.

    Args:
        folder: Where the program's starter is written.
        options: More for `WorkflowEnvironment.start_time_skipping`.
    """
    starter = _tied_starter(folder)
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(starter), **options
    ) as environment:
        # This server cannot list what is registered, so nothing is looked up first.
        request = AddSearchAttributesRequest(
            namespace=environment.client.namespace, search_attributes=temporal.SEARCH_ATTRIBUTES
        )
        await environment.client.operator_service.add_search_attributes(request)
        yield environment


def _tied_starter(folder: Path) -> Path:
    """Write a program that becomes the server and ends with us: the SDK starts it, and knows no such thing."""
    server = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    starter = folder / "temporal-test-server"
    starter.write_text(f'#!/bin/sh\nexec {shlex.join([*tied_to_us(), str(server)])} "$@"\n')
    starter.chmod(0o755)
    return starter
