"""A connection as uvicorn serves it, in two points more careful: who is slow to ask, and who is refused while sending.

A connection that does not bring a whole head of a request in time is closed; uvicorn's own timer stops at the first
byte, so that one byte would keep a connection open for ever. And one that is answered before its body has come is read
on for a moment: to close at once would reset it, and a reset takes the answer from whoever has not read it yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

_LINGER_SECONDS: Final = 2.0
_LINGER_BYTES: Final = 64 * 2**20


class Connection(H11Protocol):
    """One connection; `head_seconds` is how long it may take to bring the head of its next request."""

    head_seconds: float

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what uvicorn gives."""
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._end: _End | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for a request."""
        self._end = _End(transport, self._is_mid_body)
        super().connection_made(self._end)  # type: ignore[arg-type]  # a transport in all that uvicorn asks of it
        self._wait_for_a_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes; after the answer, throw it away."""
        if self._end is not None and self._end.is_closing():
            self._end.throw_away(data)
        else:
            super().data_received(data)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._stop_waiting()
        self._wait_for_a_request()

    def _is_mid_body(self) -> bool:
        return self.cycle is not None and self.cycle.more_body

    def _wait_for_a_request(self) -> None:
        self._timer = self.loop.call_later(self.head_seconds, self._close_unless_busy)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _close_unless_busy(self) -> None:
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if not is_busy:
            self.transport.abort()


class _End:
    """A transport that closes in two steps where the other side is still sending: first only what we say is ended."""

    def __init__(self, transport: asyncio.Transport, is_mid_body: Callable[[], bool]) -> None:
        self._transport, self._is_mid_body = transport, is_mid_body
        self._lingers, self._left = False, _LINGER_BYTES

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._lingers or self._transport.is_closing()

    def close(self) -> None:
        if self.is_closing():
            return
        if not self._is_mid_body():
            self._transport.close()
            return
        self._lingers = True
        self._transport.write_eof()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._transport.abort)

    def throw_away(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._transport.abort()
