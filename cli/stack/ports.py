"""Ports on the loopback interface.

Free ports are taken below the range from which the kernel serves outgoing connections, so that none of those can slip
in between the choice and the moment at which the service listens.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterable

LOOPBACK = "127.0.0.1"
_CANDIDATES = range(20_000, 30_000)


def is_free(port: int) -> bool:
    """Tell whether a service could listen on a port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose_port(preferred: Iterable[int] = ()) -> int:
    """Return the first free port of the preferred ones, else any free port."""
    scattered = random.sample(_CANDIDATES, len(_CANDIDATES))
    for port in (*preferred, *scattered):
        if is_free(port):
            return port
    raise OSError("No port between 20000 and 29999 is free on 127.0.0.1; stop services that are not needed.")


async def answers(host: str, port: int, timeout_seconds: float = 2.0) -> bool:
    """Tell whether something accepts TCP connections there."""
    try:
        async with asyncio.timeout(timeout_seconds):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True
