"""S3 for tests: one SeaweedFS server in a session, a fresh prefix for each test.

It is a storage server that people run in production, with its own implementation of the S3 protocol: it checks
signatures, joins the parts of large uploads, and pages its listings.
"""

from __future__ import annotations

import asyncio
import json
import sysconfig
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.archive.storage import S3Access, open_storage
from cli.stack.ports import LOOPBACK, choose_port
from contracts.errors import ServiceUnreachableError

BUCKET = "events"
KEY, SECRET = "test-key", "test-secret"
_IDENTITIES = {
    "identities": [
        {
            "name": "saga",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
    ]
}
_READY_SECONDS = 60


@dataclass(frozen=True)
class S3Server:
    """A running server, and how to reach it."""

    access: S3Access

    @property
    def environment(self) -> dict[str, str]:
        """AWS's usual variables for it."""
        return {
            "AWS_ENDPOINT_URL": self.access.endpoint or "",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }


@pytest.fixture(scope="session")
async def s3_server() -> AsyncIterator[S3Server]:
    """The real server."""
    with tempfile.TemporaryDirectory(prefix="saga-s3-") as folder:
        async with _serving(Path(folder)) as server:
            yield server


@pytest.fixture
def s3_location() -> str:
    """A location in the bucket that is empty and this test's own."""
    return f"s3://{BUCKET}/{uuid.uuid4().hex[:12]}"


@asynccontextmanager
async def _serving(folder: Path) -> AsyncIterator[S3Server]:
    port = choose_port()
    process = await asyncio.create_subprocess_exec(
        *_command(folder, port),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={"HOME": str(folder)},
        cwd=folder,
    )
    try:
        server = S3Server(S3Access(f"http://{LOOPBACK}:{port}", "us-east-1", KEY, SECRET))
        await _ready(server, process)
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _command(folder: Path, port: int) -> list[str]:
    config = folder / "s3.json"
    config.write_text(json.dumps(_IDENTITIES))
    options = {
        "dir": folder,
        "ip": LOOPBACK,
        "ip.bind": LOOPBACK,
        "master.volumeSizeLimitMB": 64,
        "volume.max": 50,
        "s3.port": port,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.config": config,
        "s3.localSocket": folder / "s3.sock",
        "filer.localSocket": folder / "filer.sock",
    }
    ports = ("master.port", "volume.port", "filer.port")
    for name in (*ports, *(f"{port}.grpc" for port in ports), "s3.port.grpc"):
        options[name] = choose_port()
    program = Path(sysconfig.get_path("scripts")) / "weed"
    return [str(program), "server", "-s3", *(f"-{name}={value}" for name, value in options.items())]


async def _ready(server: S3Server, process: asyncio.subprocess.Process) -> None:
    storage = open_storage(f"s3://{BUCKET}", server.access)
    async with asyncio.timeout(_READY_SECONDS):
        while True:
            assert process.returncode is None, "the S3 server ended at its start"
            try:
                return await storage.put("ready", b"ready")
            except ServiceUnreachableError:
                await asyncio.sleep(0.2)
