"""The wheel: everything that the product needs at run time is in it, data included."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("cli", "workers", "bridge", "workflows", "activities", "store", "contracts", "definitions")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel, built from the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603  # our own command
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as built:
        yield built


def test_wheel_has_all_that_the_tree_has(wheel: zipfile.ZipFile) -> None:
    """Each file of each package is in the wheel: modules, SQL, schemas and definitions."""
    expected = {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert expected - set(wheel.namelist()) == set()


def test_wheel_has_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Tests and tools stay at home."""
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} <= set(PACKAGES)


def test_wheel_installs_the_command(wheel: zipfile.ZipFile) -> None:
    """The command is called `saga`."""
    entry = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "saga = cli.main:main" in wheel.read(entry).decode()
