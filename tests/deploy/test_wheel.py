"""The wheel: everything that the product needs at run time is in it, and it works where nothing else of ours is."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import until_line

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PACKAGES = ("cli", "workers", "bridge", "workflows", "activities", "store", "contracts", "definitions")


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(wheel_file: Path) -> Iterator[zipfile.ZipFile]:
    """What is in the wheel."""
    with zipfile.ZipFile(wheel_file) as built:
        yield built


@pytest.fixture(scope="module")
def saga(wheel_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, installed with the locked packages into an environment of its own."""
    place = tmp_path_factory.mktemp("installed")
    _run(sys.executable, "-m", "venv", str(place))
    pip = (str(place / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input")
    _run(*pip, "--only-binary=:all:", "--require-hashes", "-r", str(ROOT / "requirements.lock"))
    _run(*pip, "--no-deps", "--no-index", str(wheel_file))
    return place / "bin" / "saga"


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


async def test_installed_command_tells_the_demo(saga: Path, tmp_path: Path) -> None:
    """In an empty folder, with services of its own: both runs end as told, and the folder is empty again."""
    code, out = await _call(saga, tmp_path, "demo", "--unattended")
    assert code == 0, out
    assert "agent-creation/eve" in out
    assert list(tmp_path.iterdir()) == []


async def test_installed_command_runs_a_shipped_definition(
    saga: Path, tmp_path: Path, postgres_url: str, amqp_url: str
) -> None:
    """`saga up` in an empty folder: a run of a definition that ships is started, approved, and ends; so does Ctrl-C."""
    given = {"SAGA_DATABASE_URL": postgres_url, "SAGA_AMQP_URL": amqp_url}
    up = await _start(saga, tmp_path, "up", "--no-ui", **given)
    try:
        await until_line(up, "Sagawright is up")
        ada = '{"agent_id": "ada", "type": "researcher", "name": "Ada"}'
        for arguments in (
            ("run", "agent-creation", "--detach", "--input", ada),
            ("approve", "agent-creation/ada", "approve-agent"),
            ("watch", "agent-creation/ada"),
        ):
            code, out = await _call(saga, tmp_path, *arguments)
            assert code == 0, out
        up.send_signal(signal.SIGINT)
        await until_line(up, "Stopped.")
        assert await up.wait() == 0
    finally:
        if up.returncode is None:
            up.kill()
            await up.wait()


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    assert done.returncode == 0, done.stdout + done.stderr


async def _call(saga: Path, folder: Path, *arguments: str) -> tuple[int | None, str]:
    process = await _start(saga, folder, *arguments)
    out, _ = await process.communicate()
    return process.returncode, out.decode()


async def _start(saga: Path, folder: Path, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(str(saga), *arguments),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **variables},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
