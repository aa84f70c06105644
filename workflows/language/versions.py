"""Semantic versions (semver.org 2.0.0): parsing and precedence."""

from __future__ import annotations

import re

_VERSION = re.compile(
    r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})"
    r"(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)

VersionKey = tuple[int, int, int, int, tuple[tuple[int, int, str], ...]]


def is_version(text: str) -> bool:
    """Tell whether `text` is a semantic version."""
    return _VERSION.fullmatch(text) is not None


def version_key(text: str) -> VersionKey:
    """Return a key that sorts as semver's precedence does; a release comes after its pre-releases.

    Raises:
        ValueError: `text` is no semantic version.
    """
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no semantic version such as 1.0.0")
    major, minor, patch, prerelease = match.group(1, 2, 3, 4)
    return int(major), int(minor), int(patch), int(prerelease is None), _identifiers(prerelease)


def _identifiers(prerelease: str | None) -> tuple[tuple[int, int, str], ...]:
    if prerelease is None:
        return ()
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in prerelease.split("."))
