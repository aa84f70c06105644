"""Where archives are kept: a port, and which of its two kinds a location means.

A location is a folder, or `s3://bucket/prefix`. What is put is there in full, or not at all, and stays there when
the machine loses its power right after `put` has returned: a day leaves the database only then.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bridge.archive.errors import ArchiveRefusedError

_S3 = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[^?#]*))?")


class Storage(Protocol):
    """Files by name; a name is words with slashes between.

    Everything raises `ServiceUnreachableError` where the storage is away, and `ArchiveRefusedError` where it refuses.
    """

    @property
    def location(self) -> str:
        """Where it is, for people and for the record."""

    async def put(self, name: str, content: Path | bytes) -> None:
        """Store a file, replacing what has this name."""

    def read(self, name: str) -> AsyncGenerator[bytes, None]:
        """Yield a file's bytes in pieces; who does not read to the end closes it.

        Raises:
            FileNotFoundError: There is no such file.
        """

    async def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, without the folder, in order."""

    async def remove(self, name: str) -> None:
        """Remove a file; it is no error if there is none."""


@dataclass(frozen=True, slots=True)
class S3Access:
    """How S3 is reached. What is None, the S3 client finds itself: AWS's own endpoint, the role of the machine.

    Attributes:
        endpoint: URL of an S3-compatible server, such as `http://minio:9000`.
        region: Region of the bucket.
        access_key_id: Name of the key.
        secret_access_key: The key.
        session_token: Goes with temporary keys.
    """

    endpoint: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)


def open_storage(location: str, access: S3Access) -> Storage:
    """Return the storage at a location; nothing is connected yet.

    Raises:
        ArchiveRefusedError: It is neither a folder nor `s3://bucket/prefix`.
    """
    from bridge.archive.bucket import BucketStorage  # noqa: PLC0415  # its client is only loaded where it is used
    from bridge.archive.folder import FolderStorage  # noqa: PLC0415  # as above

    found = _S3.fullmatch(location)
    if found is not None:
        return BucketStorage(found["bucket"], (found["prefix"] or "").strip("/"), access)
    if "://" in location or not location:
        raise ArchiveRefusedError(f"{location!r} is neither a folder nor `s3://bucket/prefix`.")
    return FolderStorage(Path(location))
