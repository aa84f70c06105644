"""The state folder: one stack at a time, and what others may learn from it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.stack.errors import StackInUseError, UnusableStateFolderError
from cli.stack.folder import Addresses, StateFolder, read_addresses

ADDRESSES = Addresses("127.0.0.1:7233", "default", "http://127.0.0.1:8233", "postgresql://u:p@h/d", "amqp://u:p@h/")


def test_second_stack_is_refused(tmp_path: Path) -> None:
    """While one process holds the folder, another is told which one does, and what to do."""
    with (
        StateFolder.at(tmp_path).locked(),
        pytest.raises(StackInUseError, match=rf"Process {os.getpid()} .*SAGA_STATE_DIR"),
        StateFolder.at(tmp_path).locked(),
    ):
        pytest.fail("two stacks at once")


def test_lock_is_free_after_use(tmp_path: Path) -> None:
    """One stack after the other is fine."""
    folder = StateFolder.at(tmp_path)
    for _ in range(2):
        with folder.locked():
            assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_addresses_are_remembered_privately(tmp_path: Path) -> None:
    """Where the stack is can be read back, by its owner only."""
    folder = StateFolder.at(tmp_path)
    folder.remember(ADDRESSES)
    assert read_addresses(tmp_path) == ADDRESSES
    assert (tmp_path / "stack.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"temporal": 1, "else": 2}'])
def test_unreadable_addresses_are_none(tmp_path: Path, content: str) -> None:
    """A file that is not what we wrote says nothing."""
    (tmp_path / "stack.json").write_text(content)
    assert read_addresses(tmp_path) is None


def test_missing_addresses_are_none(tmp_path: Path) -> None:
    """Where no stack ever ran there are no addresses."""
    assert read_addresses(tmp_path) is None


def test_unusable_folder_is_a_plain_error(tmp_path: Path) -> None:
    """A folder that cannot be made is named, with the cure."""
    (tmp_path / "file").touch()
    with pytest.raises(UnusableStateFolderError, match=r"file.*SAGA_STATE_DIR"):
        StateFolder.at(tmp_path / "file" / ".saga")
