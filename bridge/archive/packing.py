"""Files of the archive, written and read as streams.

A file is closed at a bound of unpacked bytes, so that neither side ever holds more than a page of events. Packing is
repeatable: the same lines make the same bytes, hence the same checksum and name. Reading believes nothing: it
counts and sums up what it unpacks, stops at the first byte beyond what the manifest says, and its caller learns at
the end of a file at the latest that the file is not what was written.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

from bridge.archive.errors import ArchiveDamagedError
from bridge.archive.format import MAX_LINE_BYTES, FileEntry, decode_line, file_name
from store.archive import ArchivedEvent, Line

_LEVEL: Final = 6
_GZIP: Final = 31
_UNPACK_BYTES: Final = 1024 * 1024


class Packer:
    """A file in the making; `finish` says what it became."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb")
        # Without a name and a time in it, the same lines give the same bytes.
        self._gzip = gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=self._file, mtime=0)
        self._first = self._last = 0
        self.events = self.raw_bytes = 0

    def add(self, lines: Iterable[Line]) -> None:
        """Write lines, which go on where the last ones ended."""
        for line in lines:
            self.raw_bytes += self._gzip.write(line.text.encode() + b"\n")
            self._first = min(self._first or line.position, line.position)
            self._last = max(self._last, line.position)
            self.events += 1

    def finish(self, number: int) -> FileEntry:
        """Close the file, which has at least one line, and return its entry in the manifest."""
        self.close()
        digest = _digest(self.path)
        size = self.path.stat().st_size
        return FileEntry(file_name(number, digest), digest, size, self.raw_bytes, self.events, self._first, self._last)

    def close(self) -> None:
        """Close the file."""
        self._gzip.close()
        self._file.close()


async def unpack(
    chunks: AsyncGenerator[bytes, None], entry: FileEntry, path: str
) -> AsyncGenerator[ArchivedEvent, None]:
    """Yield the events of a file; only at its end is it certain that they are those that were archived.

    Args:
        chunks: The file's bytes; closed at the end.
        entry: What the manifest says of it.
        path: Where it is, for messages.

    Raises:
        ArchiveDamagedError: Checksum, size, count or a line are not what they should be.
    """
    checked = _Checked(entry, path)
    async with aclosing(chunks), aclosing(_lines(chunks, checked)) as lines:
        async for line in lines:
            event = _decoded(line, checked)
            checked.count(event.position)
            yield event
    checked.finish()


class _Checked:
    """What was read of a file so far, and whether it can still be the right one."""

    def __init__(self, entry: FileEntry, path: str) -> None:
        self._entry, self._path = entry, path
        self._digest = hashlib.sha256()
        self._bytes = self._raw_bytes = self._first = self._last = 0
        self.events = 0

    def take(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._bytes += len(chunk)

    def take_raw(self, data: bytes) -> None:
        self._raw_bytes += len(data)
        if self._raw_bytes > self._entry.raw_bytes:
            raise self.damage(f"it unpacks to more than {self._entry.raw_bytes:,} bytes")

    def count(self, position: int) -> None:
        self._first, self._last = min(self._first or position, position), max(self._last, position)
        self.events += 1

    def finish(self) -> None:
        entry, digest = self._entry, self._digest.hexdigest()
        if digest != entry.sha256:
            raise self.damage(f"its SHA-256 is {digest}")
        found = (self._bytes, self._raw_bytes, self.events, self._first, self._last)
        if found != (entry.bytes, entry.raw_bytes, entry.events, entry.first_position, entry.last_position):
            raise self.damage("its size, its number of events or their positions are others")

    def damage(self, what: str) -> ArchiveDamagedError:
        return ArchiveDamagedError(f"{self._path}: {what}; the manifest has SHA-256 {self._entry.sha256}.")


async def _lines(chunks: AsyncGenerator[bytes, None], checked: _Checked) -> AsyncGenerator[bytes, None]:
    unpacker, rest = zlib.decompressobj(_GZIP), b""
    async for chunk in chunks:
        checked.take(chunk)
        for data in _unpacked(unpacker, chunk, checked):
            *whole, rest = (rest + data).split(b"\n")
            if len(rest) > MAX_LINE_BYTES:
                raise checked.damage(f"a line is longer than {MAX_LINE_BYTES:,} bytes")
            for line in whole:
                yield line
    if rest or not unpacker.eof:
        raise checked.damage("it ends in the middle")


def _decoded(line: bytes, checked: _Checked) -> ArchivedEvent:
    try:
        return decode_line(line)
    except ValueError as error:
        raise checked.damage(f"line {checked.events + 1} is no event ({error})") from None


def _unpacked(unpacker: zlib._Decompress, chunk: bytes, checked: _Checked) -> Iterator[bytes]:
    waiting, is_full = chunk, False
    while (waiting or is_full) and not unpacker.eof:
        try:
            data = unpacker.decompress(waiting, _UNPACK_BYTES)
        except zlib.error as error:
            raise checked.damage(f"it cannot be unpacked ({error})") from None
        # Where the bound was hit, more may come out although all has gone in.
        waiting, is_full = unpacker.unconsumed_tail, len(data) == _UNPACK_BYTES
        checked.take_raw(data)
        yield data


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
