"""A state folder for a stack of a test's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """An empty folder that the user of PostgreSQL may pass through, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="saga-stack-") as name:
        Path(name).chmod(0o711)
        yield Path(name) / ".saga"
