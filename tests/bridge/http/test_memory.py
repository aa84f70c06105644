"""A body that is larger than allowed costs no memory."""

from __future__ import annotations

import asyncio
import gzip
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cli.stack.ports import LOOPBACK
from tests.bridge.http.endpoint import BODIES, signed

ROOT = Path(__file__).resolve().parents[3]
GIBIBYTE = 1024**3
CHUNK = bytes(256 * 1024)


@dataclass(frozen=True)
class Server:
    """A process that serves the endpoint."""

    pid: int
    port: int

    def peak_mebibytes(self) -> float:
        """Return the most memory that it ever had."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


@asynccontextmanager
async def process() -> AsyncIterator[Server]:
    """Run the endpoint in a process of its own, warmed up."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bridge.http.endpoint_main"),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert running.stdin is not None and running.stdout is not None
    server = Server(running.pid, int(await running.stdout.readline()))
    body = BODIES["shop"]
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://{LOOPBACK}:{server.port}/webhooks/shop"
        assert (await client.post(url, content=body, headers=signed("shop", body))).status_code == 202
    try:
        yield server
    finally:
        running.stdin.close()
        await running.wait()


async def all_that_comes(reader: asyncio.StreamReader) -> bytes:
    """Read until the server closes; a connection that it resets ends what it said as well."""
    said = b""
    with suppress(ConnectionError):
        while piece := await reader.read(65_536):
            said += piece
    return said


async def flood(port: int, head: str, *, chunked: bool) -> tuple[bytes, int]:
    """Send up to a GiB as long as the server takes it; return its answer and how many bytes it took."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    said = asyncio.create_task(all_that_comes(reader))
    writer.write(f"POST /webhooks/shop HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n".encode())
    sent = 0
    with suppress(ConnectionError):
        while sent < GIBIBYTE and not said.done():
            writer.write(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK) if chunked else CHUNK)
            await writer.drain()
            sent += len(CHUNK)
    writer.transport.abort()
    return await said, sent


@pytest.mark.integration
@pytest.mark.parametrize(
    ("head", "chunked"),
    [
        ("transfer-encoding: chunked", True),
        (f"content-length: {GIBIBYTE}", False),
        ("content-length: 99999999999999999999", False),
    ],
)
async def test_memory_stays_flat_while_a_gibibyte_comes(head: str, chunked: bool) -> None:
    """413 long before all of it was sent, five times, and the peak of the memory grew by less than 20 MiB."""
    async with process() as server:
        before = server.peak_mebibytes()
        for _ in range(5):
            said, sent = await flood(server.port, head, chunked=chunked)
            assert said.startswith(b"HTTP/1.1 413 ") and b"webhook-too-large" in said
            assert sent < GIBIBYTE / 8, f"{sent:,} bytes were taken"
        assert server.peak_mebibytes() - before < 20


@pytest.mark.integration
async def test_memory_stays_flat_under_a_bomb() -> None:
    """A small body that unpacks to a hundred MiB is refused as it is, even rightly signed."""
    bomb = gzip.compress(bytes(100 * 1024**2))
    async with process() as server, httpx.AsyncClient(trust_env=False) as client:
        before = server.peak_mebibytes()
        for name in ("content-encoding", "Content-Encoding"):
            answer = await client.post(
                f"http://{LOOPBACK}:{server.port}/webhooks/shop",
                content=bomb,
                headers=signed("shop", bomb) | {name: "gzip"},
            )
            assert answer.status_code == 415
        assert server.peak_mebibytes() - before < 20
