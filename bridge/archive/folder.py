"""An archive in a local folder.

A file is written beside its place, brought to disk, and renamed into it; then the folder is brought to disk too.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bridge.archive.errors import ArchiveRefusedError

_CHUNK_BYTES: Final = 64 * 1024
_UNFINISHED: Final = ".unfinished"


class FolderStorage:
    """A `Storage` in a folder, which is made with the first file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    @property
    def location(self) -> str:
        """The folder's absolute path."""
        return str(self._folder)

    async def put(self, name: str, content: Path | bytes) -> None:
        """Write a file, bring it to disk, then give it its name."""
        with _refusals():
            await asyncio.to_thread(_write, self._folder / name, content)

    async def read(self, name: str) -> AsyncGenerator[bytes, None]:
        """Yield a file's bytes."""
        with _refusals(), (self._folder / name).open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                yield chunk

    async def names(self, folder: str) -> list[str]:
        """List a folder; what was left unfinished by a crash is listed too, so that it is tidied up."""
        place = self._folder / folder
        with _refusals():
            return sorted(entry.name for entry in place.iterdir() if entry.is_file()) if place.is_dir() else []

    async def remove(self, name: str) -> None:
        """Remove a file."""
        with _refusals():
            (self._folder / name).unlink(missing_ok=True)


def _write(place: Path, content: Path | bytes) -> None:
    _make_folder(place.parent)
    unfinished = place.with_name(place.name + _UNFINISHED)
    with unfinished.open("wb") as file:
        if isinstance(content, Path):
            with content.open("rb") as source:
                shutil.copyfileobj(source, file)
        else:
            file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(place)
    _sync(place.parent)


def _make_folder(folder: Path) -> None:
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in missing:
        _sync(place.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ArchiveRefusedError(f"{error.filename}: {error.strerror}.") from error
