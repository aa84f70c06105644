"""The state folder of the tests' stack.

It lies outside pytest's own folders, which are closed to the user that PostgreSQL runs as when root runs the tests.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.stack.folder import StateFolder


@pytest.fixture(scope="session")
def stack_folder() -> Iterator[StateFolder]:
    """A folder for the services of this session; xdist's workers have one each."""
    with tempfile.TemporaryDirectory(prefix="saga-tests-") as name:
        Path(name).chmod(0o711)
        yield StateFolder.at(Path(name))
