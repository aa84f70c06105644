"""Fixtures of the archive's tests: a log with days in it, and both kinds of storage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.archive.storage import S3Access, Storage, open_storage
from store.database import Database, open_database
from tests.services.s3 import S3Server, s3_location, s3_server

__all__ = ["s3_location", "s3_server"]


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """A fresh database with the whole schema."""
    async with open_database(postgres_url) as opened:
        yield opened


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """An empty storage of each kind."""
    if request.param == "folder":
        return open_storage(str(tmp_path / "archive"), S3Access())
    server: S3Server = request.getfixturevalue("s3_server")
    return open_storage(request.getfixturevalue("s3_location"), server.access)


@pytest.fixture
def folder(tmp_path: Path) -> Storage:
    """An empty folder."""
    return open_storage(str(tmp_path / "archive"), S3Access())
