"""PostgreSQL for tests: one server in a session, a fresh database for each test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from cli.stack import postgres
from cli.stack.events import Service
from cli.stack.folder import StateFolder
from cli.stack.ports import choose_port


@pytest.fixture(scope="session")
async def postgres_service(stack_folder: StateFolder) -> AsyncIterator[Service]:
    """The real server; `.url` names the database `saga`, which all tests share."""
    async with postgres.serving(stack_folder, choose_port(), durable=False) as service:
        yield service


@pytest.fixture
async def postgres_url(postgres_service: Service) -> str:
    """The URL of a database that is empty and this test's own."""
    return await fresh_database(postgres_service)


async def fresh_database(service: Service) -> str:
    """Make an empty database and return its URL, for fixtures of a wider scope."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    made = await postgres.query(service.url, f"CREATE DATABASE {name}")
    assert made is not None, f"PostgreSQL refused to make the database {name}"
    return f"{service.url.rpartition('/')[0]}/{name}"
