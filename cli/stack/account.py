"""The user that PostgreSQL runs as: its server refuses root.

An ordinary user runs it as itself. Root runs it as the system's `postgres`, else as `nobody`; no user is ever made.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

_UNPRIVILEGED = ("postgres", "nobody")


class AccountArguments(TypedDict, total=False):
    """What `subprocess` wants to know in order to run as another user."""

    user: int
    group: int
    extra_groups: Collection[str | int]


@dataclass(frozen=True)
class Account:
    """A system user."""

    name: str
    uid: int
    gid: int

    def as_arguments(self) -> AccountArguments:
        """Return the arguments of `subprocess` that start a program as this user, in no further group."""
        return {"user": self.uid, "group": self.gid, "extra_groups": ()}

    def own(self, folder: Path) -> None:
        """Make a folder, and hand it to this user alone."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        os.chown(folder, self.uid, self.gid)

    def reaches(self, path: Path) -> bool:
        """Tell whether this user may look at a path: each folder above it must be open to everybody."""
        return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def unprivileged() -> Account | None:
    """Return the user to become before starting a server that refuses root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = next(known[name] for name in _UNPRIVILEGED if name in known)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
