"""The user that PostgreSQL runs as."""

from __future__ import annotations

import os
from pathlib import Path

from cli.stack.account import Account, unprivileged


def test_root_becomes_somebody_else() -> None:
    """Root never runs the server; everybody else runs it as themselves."""
    account = unprivileged()
    assert (account is not None and account.uid != 0) if os.geteuid() == 0 else account is None


def test_closed_folder_is_out_of_reach(tmp_path: Path) -> None:
    """What lies in a folder that is closed to others is not reached by them."""
    account = Account("somebody", 65534, 65534)
    (tmp_path / "closed").mkdir(mode=0o700)
    assert not account.reaches(tmp_path / "closed" / "file")
    assert account.reaches(Path("/usr/bin"))
