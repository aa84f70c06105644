"""What a day looks like in the archive. Pure.

A day is a folder: gzip files of lines of JSON, one event a line in the order of the log, and `manifest.json`, which
is written last: without it the day is not there. A file's name has its checksum in it, so a second attempt never
writes over what a first one left, and the same day gives the same names. `zcat` and `jq` are all that is needed to
read it without us. Whatever comes out of an archive may have been tampered with: names, numbers and sizes are
checked before anything is done with them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final

from bridge.archive.errors import ArchiveDamagedError
from store.archive import ArchivedEvent, Fingerprint

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
MAX_MANIFEST_BYTES: Final = 16 * 1024 * 1024
MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""An envelope has at most 256 KiB, which escapes can make six times as long."""
_FILE = re.compile(r"events-\d{4,8}-[0-9a-f]{16}\.ndjson\.gz")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of events: `bytes` as they are stored, `raw_bytes` when unpacked, and the lowest and highest position."""

    name: str
    sha256: str
    bytes: int
    raw_bytes: int
    events: int
    first_position: int
    last_position: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A day: its files, and what tells whether the day in the log is still the one that was archived."""

    day: date
    files: tuple[FileEntry, ...]
    fingerprint: Fingerprint

    @property
    def events(self) -> int:
        """How many events the day has."""
        return self.fingerprint.events

    @property
    def bytes(self) -> int:
        """How many bytes its files take."""
        return sum(entry.bytes for entry in self.files)


def file_name(number: int, sha256: str) -> str:
    """Return the name of the day's file with this number (from 1) and checksum."""
    return f"events-{number:04}-{sha256[:16]}.ndjson.gz"


def path_of(day: date, name: str) -> str:
    """Return where a file of a day is in the storage."""
    return f"{day.isoformat()}/{name}"


def manifest_document(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest as it is stored."""
    return {
        "format": FORMAT,
        "day": manifest.day.isoformat(),
        "events": manifest.events,
        "bytes": manifest.bytes,
        "first_position": min((entry.first_position for entry in manifest.files), default=None),
        "last_position": manifest.fingerprint.last_position,
        "handled": manifest.fingerprint.handled,
        "last_handled_at": _words(manifest.fingerprint.last_handled_at),
        "files": [asdict(entry) for entry in manifest.files],
    }


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the bytes of `manifest.json`."""
    return json.dumps(manifest_document(manifest), indent=2).encode() + b"\n"


def decode_manifest(content: bytes, day: date) -> Manifest:
    """Return the manifest of `day`.

    Raises:
        ArchiveDamagedError: It is none, or that of another day, or of a later release.
    """
    try:
        return _manifest(json.loads(content), day)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ArchiveDamagedError(f"{path_of(day, MANIFEST)} is no manifest of this day: {error}.") from None


def decode_line(line: bytes) -> ArchivedEvent:
    """Return the event in a line of a file.

    Raises:
        ValueError: It is none.
    """
    try:
        return _event(json.loads(line))
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__} {error}") from None


def _manifest(document: Mapping[str, Any], day: date) -> Manifest:
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']!r} is not {FORMAT}; a later release can read it")
    if document["day"] != day.isoformat():
        raise ValueError(f"it is of {document['day']!r}")
    files = tuple(_entry(entry) for entry in document["files"])
    last = max((entry.last_position for entry in files), default=None)
    events = sum(entry.events for entry in files)
    manifest = Manifest(
        day, files, Fingerprint(events, last, document["handled"], _moment(document["last_handled_at"]))
    )
    if manifest_document(manifest) != document:
        raise ValueError("its numbers contradict each other")
    return manifest


def _entry(document: Mapping[str, Any]) -> FileEntry:
    entry = FileEntry(**document)
    if not _FILE.fullmatch(entry.name) or not _SHA256.fullmatch(entry.sha256):
        raise ValueError(f"{entry.name!r} is no file of an archive")
    sizes = (entry.bytes, entry.raw_bytes, entry.events, entry.first_position, entry.last_position)
    if not _are_counts(sizes) or entry.first_position > entry.last_position:
        raise ValueError(f"{entry.name} has impossible numbers")
    return entry


def _are_counts(numbers: Sequence[object]) -> bool:
    return all(isinstance(number, int) and not isinstance(number, bool) and number > 0 for number in numbers)


def _event(document: Mapping[str, Any]) -> ArchivedEvent:
    effects = document["effects"]
    return ArchivedEvent(
        position=_number(document["position"]),
        event_id=_text(document["event_id"]),
        event_type=_text(document["event_type"]),
        event_version=_text(document["event_version"]),
        source=_text(document["source"]),
        occurred_at=datetime.fromisoformat(document["occurred_at"]),
        recorded_at=datetime.fromisoformat(document["recorded_at"]),
        correlation_id=_text(document["correlation_id"]),
        group_key=_text_or_none(document["group_key"]),
        priority=_number(document["priority"]),
        outcome=_text_or_none(document["outcome"]),
        reason=_text_or_none(document["reason"]),
        effects=None if effects is None else json.dumps(effects),
        handled_at=_moment(document["handled_at"]),
        envelope=json.dumps(document["envelope"], ensure_ascii=False, separators=(",", ":")),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r:.40} is no whole number")
    return value


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _words(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
