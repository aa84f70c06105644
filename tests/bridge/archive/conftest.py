"""Fixtures of the archive's tests: a log with days in it, and both kinds of storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.archive.storage import S3Access, Storage, open_storage
from tests.support.services.s3 import S3Server


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.integration)])
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
