"""Fixtures of the command line's tests: shells in which `saga` is called."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.outbound import open_client
from activities.registry import catalog
from activities.resources import Resources
from cli.stack.events import Service
from tests.support.command_line import CLOSED, Shell
from workers.worker import make_worker
from workflows.language.compiler import compile_sources
from workflows.language.library import Library

GREETING = """
id: greeting
version: 1.0.0
input:
  type: object
  properties: {name: {type: string}, fails: {type: boolean}, asks: {type: boolean}}
steps:
  - id: prepare
    action: data.transform
    with: {value: ready}
    compensate: {action: data.transform, with: {value: undone}}
  - id: ask
    type: approval
    if: has(input.asks) && input.asks
    title: May ${ input.name } be greeted?
    approvers: ["role:doorman"]
  - id: decide
    type: decision
    cases:
      - when: has(input.fails) && input.fails
        steps:
          - id: refuse
            type: fail
            error: {type: bad-manners, title: No greeting, detail: They did not knock.}
  - id: greet
    action: data.transform
    with: {value: "Hello ${ input.?name.orValue('you') }"}
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder with a definition, and no service anywhere."""
    shell = Shell(
        tmp_path,
        {
            "TEMPORAL_ADDRESS": CLOSED,
            "SAGA_DATABASE_URL": f"postgresql://u:secret@{CLOSED}/x",
            "SAGA_AMQP_URL": f"amqp://u:secret@{CLOSED}/",
        },
    )
    shell.write("definitions/greeting.yaml", GREETING)
    return shell


@pytest.fixture
def connected(shell: Shell, temporal_service: Service) -> Shell:
    """The same with the real Temporal server, and a task queue of its own."""
    return shell.with_environment(TEMPORAL_ADDRESS=temporal_service.url, SAGA_TASK_QUEUE=f"cli-{uuid.uuid4().hex[:8]}")


@pytest.fixture
async def working(connected: Shell, client: Client) -> AsyncIterator[Shell]:
    """The same with a worker for the definition."""
    library = greeting_library()
    queue = connected.environment["SAGA_TASK_QUEUE"]
    async with open_client() as http, make_worker(client, lambda: library, Resources(http), queue):
        yield connected


def greeting_library() -> Library:
    """Compile the definition."""
    library = compile_sources({"definitions/greeting.yaml": GREETING}, catalog()).library
    assert library is not None
    return library
