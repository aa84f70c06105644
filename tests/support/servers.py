"""Who owns the servers: a process that every pytest process of a run can ask (`server_owner`)."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import ROOT, die_with_parent, folder_of_a_run
from tests.support.server_owner import READY, SOCKET, Description

_OWNER = pytest.StashKey["subprocess.Popen[bytes]"]()
_FOLDER = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the owner, or be told by the process that did; a worker ends with the process that started it."""
    told = getattr(config, "workerinput", None)
    if told is not None:
        die_with_parent()
        config.stash[_FOLDER] = Path(told["folder"])
        # What a worker makes goes with the run, also where the worker is killed.
        tempfile.tempdir = told["folder"]
    elif not config.option.collectonly:
        folder = folder_of_a_run()
        config.stash[_OWNER] = _owner(folder)
        config.stash[_FOLDER] = folder


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist's where the servers are."""
    node.workerinput["folder"] = str(run_folder(node.config))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let the owner stop the servers, once all workers have ended."""
    if owner := config.stash.get(_OWNER, None):
        owner.communicate()


def run_folder(config: pytest.Config) -> Path:
    """Return the folder of the run, which all its processes share; it goes with the servers."""
    return config.stash[_FOLDER]


def described(config: pytest.Config, name: str) -> Description:
    """Have a server started, unless it runs, and return what its owner says of it.

    Args:
        config: Knows the owner.
        name: Of `server_owner.SERVERS`; with a worker's name behind a slash it is one that only this worker asks for.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(run_folder(config) / SOCKET))
        connection.sendall(f"{name}\n".encode())
        with connection.makefile() as answer:
            document: dict[str, Any] = json.load(answer)
    assert "server" in document, f"{name} could not be started: {document.get('error')}"
    description: Description = document["server"]
    return description


def _owner(folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-m", "tests.support.server_owner", str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Ctrl-C is for the tests; the servers are stopped after them.
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == READY, "the owner of the servers did not start"
    return process
