"""The one way out: an HTTP client that looks where a connection really goes.

A host name is resolved here, every address that it resolves to is checked, and the connection is made to one of these
very
addresses: a name server that answers differently the second time is never asked a second time. TLS and the Host
header keep the name. This holds at every hop, since a redirect opens its connection in the same way. Proxies from the
environment are not
used: behind one, the check would look at the proxy.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import httpcore
import httpx

from activities.addresses import Network, refusal
from contracts.errors import PermanentError

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]

USER_AGENT: Final = "sagawright"
MAX_REDIRECTS: Final = 5
CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 30.0
MAX_CONNECTIONS: Final = 100
KEPT_CONNECTIONS: Final = 20
KEPT_SECONDS: Final = 15.0


class AddressRefusedError(PermanentError):
    """This address is not public; an operator allows networks with SAGA_ALLOWED_NETWORKS."""

    code = "address-refused"


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Return the addresses of `host` as the operating system resolves it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to checked addresses only.

    Args:
        allowed: Networks that may be reached although they are not public.
        resolver: Turns a host name into addresses; asked once for each connection.
        network: What opens the connection to an address.
    """

    def __init__(
        self, allowed: Iterable[Network], resolver: Resolver, network: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        self._allowed = tuple(allowed)
        self._resolver = resolver
        self._network = network or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of `host` that answers.

        Raises:
            AddressRefusedError: One of its addresses may not be reached.
            httpcore.ConnectError: The name has no address, or none of them answers.
            httpcore.ConnectTimeout: Neither came in time.
        """
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in await self._checked(host, port, timeout):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: a socket in the file system is never public."""
        raise AddressRefusedError(path)

    async def sleep(self, seconds: float) -> None:
        """Sleep, which httpcore does between its attempts to connect."""
        await self._network.sleep(seconds)

    async def _checked(self, host: str, port: int, seconds: float | None) -> Sequence[str]:
        addresses = await self._resolved(host, port, seconds)
        for address in addresses:
            reason = refusal(address, self._allowed)
            if reason is not None:
                raise AddressRefusedError(f"{host} is {address} ({reason}).")
        return addresses

    async def _resolved(self, host: str, port: int, seconds: float | None) -> Sequence[str]:
        try:
            async with asyncio.timeout(seconds):
                return await self._resolver(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"the name {host} was not resolved in time") from error
        except OSError as error:
            raise httpcore.ConnectError(f"the name {host} cannot be resolved: {error.strerror or error}") from error
        except UnicodeError as error:
            raise httpcore.ConnectError("the host's name is malformed") from error


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport on a guarded backend."""

    def __init__(self, backend: GuardedBackend) -> None:
        super().__init__(trust_env=False)
        # httpx has no parameter for the backend. The pool is replaced before its first use;
        # tests/activities/test_outbound.py fails should a release of httpx keep it elsewhere.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=KEPT_CONNECTIONS,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=backend,
        )


@asynccontextmanager
async def open_client(
    allowed: Iterable[Network] = (), resolver: Resolver = system_resolver
) -> AsyncIterator[httpx.AsyncClient]:
    """Open the client that every outgoing call goes through, and close it at the end.

    Args:
        allowed: Networks that may be reached although they are not public, for development and for systems next door.
        resolver: Turns a host name into addresses.
    """
    async with httpx.AsyncClient(
        transport=GuardedTransport(GuardedBackend(allowed, resolver)),
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
        max_redirects=MAX_REDIRECTS,
        trust_env=False,
        headers={"User-Agent": USER_AGENT},
    ) as client:
        yield client
