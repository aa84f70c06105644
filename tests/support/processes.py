"""Processes that tests start: none of them outlives the tests, however those end."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEASURING = "COVERAGE_"
"""How the variables begin by which coverage measures a process."""

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
_ROOM_BYTES = 12 * 1024**3
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def tied_to_us() -> tuple[str, ...]:
    """Return the words before a command line that end its process when ours is killed; the process id stays its own."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL") if setpriv else ()


def measured() -> dict[str, str]:
    """Return what a Python process must be told so that coverage counts it; nothing where coverage is not running."""
    return {name: value for name, value in os.environ.items() if name.startswith(MEASURING)}


def folder_of_a_run() -> Path:
    """Make a folder for what servers keep: in memory where there is room, since none has to outlive the machine."""
    has_room = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    return passable_folder(_MEMORY if has_room else None)


def passable_folder(within: Path | None = None) -> Path:
    """Make a folder that lets the user pass that PostgreSQL runs as when root runs the tests, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="saga-tests-", dir=within))
    folder.chmod(0o711)
    return folder


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that started it ends, even by SIGKILL."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
