"""An answer that ends a request whose body was not read to its end.

A server that closes a connection on which data still comes makes the system reset it, and the sender may lose the
answer with the rest. So the answer goes out, what still comes is read for a moment and thrown away, and then the
connection is closed. Both the moment and the amount are small, because a hostile sender would send for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

_MOST_BYTES: Final = 4 * 1024 * 1024
_SECONDS: Final = 1.0


class Refusal(Response):
    """Sends a response, then listens a little, then closes the connection."""

    def __init__(self, response: Response) -> None:
        """Take the response to send."""
        super().__init__(response.body, response.status_code, {**response.headers, "connection": "close"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def hold_the_end(message: Message) -> None:
            is_body = message["type"] == "http.response.body"
            await send({**message, "more_body": True} if is_body else message)

        await super().__call__(scope, receive, hold_the_end)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS):
                await _read_on(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _read_on(receive: Receive) -> None:
    read = 0
    while read < _MOST_BYTES:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return
        read += len(message.get("body", b""))
