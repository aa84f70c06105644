"""The bootstrap: what it says on a machine where something is missing and apt may not be used."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
TOOLS = ("cat", "cksum", "dirname", "grep", "id", "sh")


@pytest.fixture
def bare_machine(tmp_path: Path) -> Path:
    """A copy of what the bootstrap needs, and a search path with a handful of tools, without Python and without apt."""
    for name in ("deploy/bootstrap", "requirements.lock", "requirements-build.lock", "pyproject.toml"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, target)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    return tmp_path


def bootstrap(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the bootstrap with that search path and nothing else in the environment."""
    command = ["/bin/sh", str(machine / "deploy" / "bootstrap"), *arguments]
    return subprocess.run(  # noqa: S603  # our own script
        command, env={"PATH": str(machine / "bin")}, capture_output=True, text=True, check=False
    )


def add_python(machine: Path, script: str) -> None:
    """Put a stand-in for Python on the search path."""
    program = machine / "bin" / "python3"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_purpose_is_asked_for(bare_machine: Path) -> None:
    """Without a purpose, or with an unknown one, the usage is shown."""
    for arguments in ((), ("fly",)):
        result = bootstrap(bare_machine, *arguments)
        assert result.returncode == 2
        assert "usage: deploy/bootstrap run|test" in result.stderr


def test_missing_python_is_named(bare_machine: Path) -> None:
    """Without any Python the message says which one, and how to get it."""
    result = bootstrap(bare_machine, "run")
    assert result.returncode == 3
    assert "Python 3.11 or later is needed" in result.stderr
    assert "apt-get install python3 python3-venv" in result.stderr


def test_old_python_does_not_count(bare_machine: Path) -> None:
    """A Python that is too old is as good as none."""
    add_python(bare_machine, "exit 1")
    assert "Python 3.11 or later is needed" in bootstrap(bare_machine, "run").stderr


def test_missing_venv_is_named(bare_machine: Path) -> None:
    """A Python without `ensurepip`, as Debian ships it, leads to the package of just that version."""
    add_python(bare_machine, 'case "$2" in *ensurepip*) exit 1 ;; *version_info\\[:2\\]*) echo 3.13 ;; esac')
    result = bootstrap(bare_machine, "test")
    assert result.returncode == 3
    assert "apt-get install python3.13-venv" in result.stderr
    assert not (bare_machine / ".venv").exists()


def test_locks_are_for_the_same_packages() -> None:
    """What serves the tests is what serves the users: the same versions of the same packages."""
    locked = [set(_pins(name)) for name in ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")]
    assert locked[0] <= locked[2]
    assert locked[1] <= locked[2]


def test_locks_name_no_place() -> None:
    """No lock names an index or a folder: packages come from wherever the reader's pip is set up to look."""
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text()
        assert not any(line.startswith("-") for line in lock.read_text().splitlines())


def _pins(name: str) -> list[str]:
    return [line.split()[0] for line in (ROOT / name).read_text().splitlines() if "==" in line]
