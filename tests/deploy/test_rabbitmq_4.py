"""What fetches RabbitMQ 4 for the tests: what is locked, and what is said where it cannot be had."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


def fetch(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the script where there are a few tools and no apt."""
    for name in ("rabbitmq-4", "rabbitmq-4.lock"):
        (folder / "deploy").mkdir(exist_ok=True)
        shutil.copy(ROOT / "deploy" / name, folder / "deploy" / name)
    (folder / "bin").mkdir()
    for tool in ("cat", "dirname", "sh"):
        (folder / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    command = ["/bin/sh", str(folder / "deploy" / "rabbitmq-4"), *arguments]
    return subprocess.run(  # noqa: S603  # our own script
        command, env={"PATH": str(folder / "bin")}, capture_output=True, text=True, check=False
    )


def test_lock_names_versions_and_digests_and_no_place() -> None:
    """Each line is a package of one version with its SHA-256, as sha256sum reads it; RabbitMQ is 4.x."""
    lines = (ROOT / "deploy" / "rabbitmq-4.lock").read_text().splitlines()
    assert all(re.fullmatch(r"[0-9a-f]{64}  [a-z0-9+.-]+_[^_/]+_(amd64|all)\.deb", line) for line in lines)
    assert [line for line in lines if "  rabbitmq-server_4." in line]
    assert "://" not in (ROOT / "deploy" / "rabbitmq-4").read_text()


def test_machine_without_apt_is_told_of_the_other_way(tmp_path: Path) -> None:
    """Another server can be named."""
    result = fetch(tmp_path)
    assert result.returncode == 3
    assert "SAGA_TEST_RABBITMQ" in result.stderr
    assert not (tmp_path / "build").exists()


def test_unknown_word_shows_the_usage(tmp_path: Path) -> None:
    """There is only `lock`."""
    result = fetch(tmp_path, "fly")
    assert (result.returncode, "usage: deploy/rabbitmq-4 [lock]" in result.stderr) == (2, True)
