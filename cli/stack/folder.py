"""The state folder, `.saga/` by default: where everything lies that a stack keeps.

One process at a time may run the stack of a folder; the lock is the kernel's, so it is gone when that process is,
however it ended. `stack.json` tells other commands on the machine where the running stack is, and the next start which
ports to prefer.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from cli.stack.errors import StackInUseError, UnusableStateFolderError

_CURE = "Choose a folder that is yours with SAGA_STATE_DIR."


@dataclass(frozen=True)
class Addresses:
    """Where the parts of a stack are.

    Attributes:
        temporal: `host:port` of the gRPC front end.
        namespace: The Temporal namespace.
        ui: URL of the Temporal UI, or None where none is known.
        database_url: `postgresql://` URL, password included.
        amqp_url: `amqp://` URL, password included.
    """

    temporal: str
    namespace: str
    ui: str | None
    database_url: str
    amqp_url: str


@dataclass(frozen=True)
class StateFolder:
    """The files of one stack. The path is absolute."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> StateFolder:
        """Make the folder where it is missing.

        Raises:
            UnusableStateFolderError: The folder cannot be made or written.
        """
        folder = cls(path.expanduser().resolve())
        try:
            for needed in (folder.path, folder.path / "logs", folder.path / "run"):
                needed.mkdir(parents=True, exist_ok=True)
            (folder.path / "lock").touch()
        except OSError as error:
            raise UnusableStateFolderError(f"{error.strerror}: {error.filename}. {_CURE}") from error
        return folder

    def log(self, name: str) -> Path:
        """Return the log file of a child process."""
        return self.path / "logs" / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        """Return the file that remembers a child process."""
        return self.path / "run" / f"{name}.json"

    def pid_files(self) -> list[Path]:
        """Return the files of all child processes that are remembered."""
        return list((self.path / "run").glob("*.json"))

    def part(self, name: str) -> Path:
        """Return the data folder of a part, made where it is missing."""
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        return folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from running this folder's stack.

        Raises:
            StackInUseError: Another process runs it.
        """
        with (self.path / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackInUseError(_in_use(self.path, lock.name)) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def remember(self, addresses: Addresses) -> None:
        """Write down where the stack is, readable by its owner only: URLs hold passwords."""
        write_private(self.path / "stack.json", json.dumps(asdict(addresses), indent=2) + "\n")


def read_addresses(state_dir: Path) -> Addresses | None:
    """Return where the stack of a state folder is, or was when it last ran; None where none ever ran."""
    try:
        return Addresses(**json.loads((state_dir / "stack.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, all of it or nothing."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def _in_use(path: Path, lock: str) -> str:
    holder = Path(lock).read_text().strip() or "unknown"
    return f"Process {holder} runs {path}: stop it with Ctrl-C there, or choose another folder with SAGA_STATE_DIR."
