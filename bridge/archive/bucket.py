"""An archive in a bucket of S3 or of a server that speaks its protocol.

The client (Rust's object_store) signs requests, sends large files in parts, tries again by itself for half a
minute, and looks for credentials that are not given where AWS's own tools do. Its exceptions are wrapped here; only
the first line of what it says is kept, because the rest is its own state.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from bridge.archive.errors import ArchiveRefusedError
from bridge.archive.storage import S3Access
from contracts.errors import ServiceUnreachableError

if TYPE_CHECKING:
    from obstore.store import S3Config

_CURE: Final = "check that it runs, and SAGA_ARCHIVE and AWS_ENDPOINT_URL"
_CHUNK_BYTES: Final = 64 * 1024
_CONNECT: Final = timedelta(seconds=5)
_SILENCE: Final = timedelta(seconds=30)
_REQUEST: Final = timedelta(hours=1)
"""A file is read as fast as its events are written to the database."""
_TRIES: Final = 3
_TRY_FOR: Final = timedelta(seconds=30)
_MAX_SAID: Final = 300


class BucketStorage:
    """A `Storage` in a bucket, under a prefix."""

    def __init__(self, bucket: str, prefix: str, access: S3Access) -> None:
        self._bucket, self._prefix = bucket, prefix
        self._address = access.endpoint or f"s3.{access.region or 'us-east-1'}.amazonaws.com"
        given = {name: value for name, value in asdict(access).items() if value is not None}
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            config=cast("S3Config", given),
            client_options={
                "allow_http": (access.endpoint or "").startswith("http://"),
                "connect_timeout": _CONNECT,
                "read_timeout": _SILENCE,
                "timeout": _REQUEST,
            },
            retry_config={"max_retries": _TRIES, "retry_timeout": _TRY_FOR},
        )

    @property
    def location(self) -> str:
        """The bucket and the prefix as a URL."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    async def put(self, name: str, content: Path | bytes) -> None:
        """Upload a file; a large one in parts, which become a file when the last one is there."""
        with self._translated():
            await obstore.put_async(self._store, name, content)

    async def read(self, name: str) -> AsyncGenerator[bytes, None]:
        """Download a file piece by piece."""
        with self._translated():
            found = await obstore.get_async(self._store, name)
            async for chunk in found.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(chunk)

    async def names(self, folder: str) -> list[str]:
        """List a folder."""
        with self._translated():
            found = await obstore.list(self._store, folder).collect_async()
        return sorted(str(entry["path"]).removeprefix(f"{folder}/") for entry in found)

    async def remove(self, name: str) -> None:
        """Remove a file."""
        with self._translated():
            await obstore.delete_async(self._store, name)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotFoundError) as error:
            raise FileNotFoundError(_first_line(error)) from None
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise ArchiveRefusedError(f"{self.location} at {self._address}: {_first_line(error)}.") from error
        except BaseError as error:
            raise ServiceUnreachableError("S3", f"{self._address} ({self.location})", _CURE) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:_MAX_SAID].rstrip(". ")
