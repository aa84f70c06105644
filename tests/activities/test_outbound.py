"""The guarded client against real servers and name servers that lie."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any

import httpcore
import httpx
import pytest

from activities.addresses import parse_networks
from activities.outbound import AddressRefusedError, GuardedBackend, open_client, system_resolver
from tests.activities.server import Answer, HttpServer

LOOPBACK = parse_networks("127.0.0.0/8")


class Names:
    """A name server: it gives its answers in turn and the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        """Begin with the first answer."""
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Answer."""
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "2130706433",
        "0x7f000001",
        "0177.1",
        "127.1",
        "0.0.0.0",  # noqa: S104 - an address to be refused
        "169.254.169.254",
        "10.0.0.1",
    ],
)
async def test_client_refuses_ways_to_write_an_inner_address(host: str, server: HttpServer) -> None:
    """Whatever the spelling, the address behind it is looked at, and no request is sent."""
    async with open_client() as client:
        with pytest.raises(AddressRefusedError):
            await client.get(f"http://{host}:{server.port}/")
    assert server.asked == []


async def test_client_refuses_a_name_with_one_inner_address() -> None:
    """One private address among public ones is enough."""
    async with open_client(resolver=Names(["8.8.8.8", "10.0.0.7"])) as client:
        with pytest.raises(AddressRefusedError, match=r"shop\.example is 10\.0\.0\.7 \(private\)"):
            await client.get("http://shop.example/")


async def test_client_connects_to_the_address_that_was_checked() -> None:
    """The name is asked once: the answer that comes second is never used, and the connection goes to the first."""
    connected: list[str] = []

    class Recording(httpcore.AsyncNetworkBackend):
        async def connect_tcp(self, host: str, port: int, *rest: Any) -> httpcore.AsyncNetworkStream:
            connected.append(host)
            raise httpcore.ConnectError("recorded")

    names = Names(["93.184.215.14"], ["127.0.0.1"])
    with pytest.raises(httpcore.ConnectError):
        await GuardedBackend((), names, Recording()).connect_tcp("rebinding.example", 80)
    assert (connected, names.asked) == (["93.184.215.14"], ["rebinding.example"])
    with pytest.raises(AddressRefusedError):
        await GuardedBackend((), names, Recording()).connect_tcp("rebinding.example", 80)


async def test_client_reaches_an_allowed_network_by_name(server: HttpServer) -> None:
    """The Host header keeps the name."""
    async with open_client(LOOPBACK, Names(["127.0.0.1"])) as client:
        assert (await client.get(f"http://crm.example:{server.port}/")).status_code == 200
    assert server.asked[0].headers["host"] == f"crm.example:{server.port}"


async def test_client_tries_the_next_address(server: HttpServer) -> None:
    """An address that does not answer is no end while there is another."""
    async with open_client(LOOPBACK, Names(["127.0.0.2", "127.0.0.1"])) as client:
        assert (await client.get(f"http://crm.example:{server.port}/")).status_code == 200


async def test_client_checks_every_redirect(server: HttpServer) -> None:
    """A redirect to an inner address is refused like a first request."""
    server.answer = lambda _: Answer(302, {"location": f"http://inner.example:{server.port}/secret"})

    async def names(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"] if host == "outer.example" else ["10.0.0.1"]

    async with open_client(LOOPBACK, names) as client:
        with pytest.raises(AddressRefusedError, match=r"inner\.example"):
            await client.get(f"http://outer.example:{server.port}/", follow_redirects=True)
        assert (await client.get(f"http://outer.example:{server.port}/")).status_code == 302
    assert [asked.path for asked in server.asked] == ["/", "/"]


async def test_client_ignores_proxies_of_the_environment(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy the guard would look at the wrong address."""
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("ALL_PROXY", server.url)
    async with open_client() as client:
        with pytest.raises(AddressRefusedError):
            await client.get("http://10.0.0.1/")
    assert server.asked == []


async def test_client_reports_a_name_that_does_not_resolve() -> None:
    """A name without an address is a failure to connect."""
    async with open_client() as client:
        with pytest.raises(httpx.ConnectError, match="cannot be resolved"):
            await client.get("http://nowhere.invalid/")
    async with open_client(resolver=Names([])) as client:
        with pytest.raises(httpx.ConnectError, match="has no address"):
            await client.get("http://nowhere.example/")


async def test_client_reports_a_malformed_name() -> None:
    """A label that is too long for a name is a failure to connect, not a crash."""
    async with open_client() as client:
        with pytest.raises(httpx.ConnectError, match="malformed"):
            await client.get(f"http://{'a' * 64}.example/")


async def test_client_does_not_wait_for_a_slow_name_server() -> None:
    """Resolving counts towards the time for the connection."""

    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    async with open_client(resolver=never) as client:
        with pytest.raises(httpx.ConnectTimeout):
            await client.get("http://slow.example/", timeout=httpx.Timeout(30, connect=0.01))


async def test_client_keeps_the_name_for_tls(server: HttpServer) -> None:
    """The certificate is asked for by name, not by the address that was connected to."""
    seen: list[str | None] = []

    class Stream(httpcore.AsyncNetworkStream):
        async def start_tls(
            self,
            ssl_context: ssl.SSLContext,
            server_hostname: str | None = None,
            timeout: float | None = None,  # noqa: ASYNC109
        ) -> httpcore.AsyncNetworkStream:
            seen.append(server_hostname)
            raise httpcore.ConnectError("seen")

        async def aclose(self) -> None:
            pass

    class Recording(httpcore.AsyncNetworkBackend):
        async def connect_tcp(self, host: str, port: int, *rest: Any) -> httpcore.AsyncNetworkStream:
            return Stream()

    backend = GuardedBackend((), Names(["8.8.8.8"]), Recording())
    async with httpcore.AsyncConnectionPool(network_backend=backend) as pool:
        with pytest.raises(httpcore.ConnectError, match="seen"):
            await pool.request("GET", "https://crm.example/")
    assert seen == ["crm.example"]


async def test_backend_refuses_unix_sockets() -> None:
    """A socket in the file system is never public; sleeping is the network's business."""
    await GuardedBackend((), system_resolver).sleep(0)
    with pytest.raises(AddressRefusedError):
        await GuardedBackend((), system_resolver).connect_unix_socket("/run/docker.sock")
