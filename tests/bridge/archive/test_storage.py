"""Both kinds of storage keep what a `Storage` promises."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.archive.errors import ArchiveRefusedError
from bridge.archive.storage import S3Access, Storage, open_storage
from contracts.errors import ServiceUnreachableError
from tests.support.command_line import CLOSED
from tests.support.services.s3 import S3Server

LARGE = 12 * 1024 * 1024
"""More than S3 takes in one part."""


async def _content(storage: Storage, name: str) -> bytes:
    return b"".join([chunk async for chunk in storage.read(name)])


async def test_storage_gives_back_what_was_put(storage: Storage, tmp_path: Path) -> None:
    """Bytes and files, small ones and those that are sent in parts; the second put wins."""
    large = tmp_path / "large"
    large.write_bytes(os.urandom(LARGE))
    await storage.put("2030-01-31/large", large)
    await storage.put("2030-01-31/small", b"first")
    await storage.put("2030-01-31/small", b"second")
    assert await _content(storage, "2030-01-31/large") == large.read_bytes()
    assert await _content(storage, "2030-01-31/small") == b"second"


async def test_storage_reads_large_files_in_pieces(storage: Storage, tmp_path: Path) -> None:
    """No piece is more than a fraction of the file."""
    large = tmp_path / "large"
    large.write_bytes(os.urandom(LARGE))
    await storage.put("large", large)
    pieces = [len(chunk) async for chunk in storage.read("large")]
    assert sum(pieces) == LARGE
    assert max(pieces) <= LARGE // 10


async def test_storage_lists_and_removes(storage: Storage) -> None:
    """A folder's names come in order, without those of other folders; removing twice is no error."""
    for name in ("b", "a"):
        await storage.put(f"2030-01-31/{name}", b"x")
    await storage.put("2030-01-3/c", b"x")
    assert await storage.names("2030-01-31") == ["a", "b"]
    for _ in range(2):
        await storage.remove("2030-01-31/a")
    assert await storage.names("2030-01-31") == ["b"]
    assert await storage.names("2031-01-01") == []


async def test_storage_says_when_a_file_is_missing(storage: Storage) -> None:
    """That is an answer, not an outage."""
    with pytest.raises(FileNotFoundError):
        await _content(storage, "2030-01-31/manifest.json")


async def test_bucket_says_where_it_is(s3_server: S3Server) -> None:
    """Bucket and prefix, without a key."""
    storage = open_storage("s3://events/some/prefix/", s3_server.access)
    assert storage.location == "s3://events/some/prefix"
    assert "test-secret" not in repr(s3_server.access)


async def test_bucket_that_refuses_the_key_says_so(s3_server: S3Server, s3_location: str) -> None:
    """The server checks signatures; the message has the reason and not the key."""
    wrong = S3Access(s3_server.access.endpoint, "us-east-1", "test-key", "not-the-secret")
    with pytest.raises(ArchiveRefusedError, match="403") as caught:
        await open_storage(s3_location, wrong).put("name", b"x")
    assert "not-the-secret" not in str(caught.value)


async def test_bucket_that_is_away_says_so() -> None:
    """An endpoint at which nothing answers is an outage with its address and a cure."""
    away = S3Access(f"http://{CLOSED}", "us-east-1", "key", "secret")
    with pytest.raises(ServiceUnreachableError, match=CLOSED):
        await open_storage("s3://events", away).put("name", b"x")


async def test_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """A file in the place of the folder is refused with its name."""
    (tmp_path / "archive").write_text("in the way")
    with pytest.raises(ArchiveRefusedError, match="archive"):
        await open_storage(str(tmp_path / "archive"), S3Access()).put("day/name", b"x")


@pytest.mark.parametrize("location", ["", "gs://bucket/prefix", "s3://", "s3://Bad_Name/x", "http://host/path"])
def test_open_storage_refuses_what_is_no_location(location: str) -> None:
    """Another scheme or no bucket is refused before anything is connected."""
    with pytest.raises(ArchiveRefusedError):
        open_storage(location, S3Access())
