"""S3 for tests: one SeaweedFS server in a run, a fresh prefix for each test.

It is a storage server that people run in production, with its own implementation of the S3 protocol: it checks
signatures, joins the parts of large uploads, and pages its listings.
"""

from __future__ import annotations

import json
import signal
import sysconfig
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bridge.archive.storage import S3Access, open_storage
from cli.stack.folder import StateFolder
from cli.stack.ports import LOOPBACK, choose_port
from cli.stack.process import Program, environment, running
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
_READY_WITHIN = timedelta(seconds=120)
_REGION = "us-east-1"


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
            "AWS_REGION": _REGION,
        }


def server_of(description: dict[str, Any]) -> S3Server:
    """Return the shared server."""
    return S3Server(S3Access(description["endpoint"], _REGION, KEY, SECRET))


def fresh_location() -> str:
    """Return a location in the bucket that is empty and the caller's own."""
    return f"s3://{BUCKET}/{uuid.uuid4().hex[:12]}"


@asynccontextmanager
async def serve(folder: StateFolder) -> AsyncIterator[dict[str, Any]]:
    """Run the server inside the block."""
    endpoint = f"http://{LOOPBACK}:{choose_port()}"
    program = Program(
        "s3",
        "S3",
        tuple(_command(folder.part("s3"), endpoint)),
        environment(HOME=str(folder.path)),
        None,
        signal.SIGKILL,
    )
    async with running(program, folder) as child:
        await child.ready(lambda: _answers(endpoint), _READY_WITHIN)
        yield {"endpoint": endpoint}


def _command(folder: Path, endpoint: str) -> list[str]:
    config = folder / "s3.json"
    config.write_text(json.dumps(_IDENTITIES))
    options = {
        "dir": folder,
        "ip": LOOPBACK,
        "ip.bind": LOOPBACK,
        "master.volumeSizeLimitMB": 64,
        "volume.max": 50,
        "s3.port": urlsplit(endpoint).port,
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


async def _answers(endpoint: str) -> bool:
    try:
        await open_storage(f"s3://{BUCKET}", S3Access(endpoint, _REGION, KEY, SECRET)).put("ready", b"ready")
    except ServiceUnreachableError:
        return False
    return True
