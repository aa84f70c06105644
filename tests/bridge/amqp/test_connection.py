"""Connections: several nodes, one of which is enough, and one connection for all parts of a process."""

from __future__ import annotations

import asyncio

import pytest

from bridge.amqp.connection import address, connect, connected, is_lost, nodes_of
from bridge.amqp.sharing import sharing
from bridge.errors import BrokerRefusedError
from cli.stack.ports import LOOPBACK, choose_port
from contracts.errors import ServiceUnreachableError
from tests.support.proxy import amqp_proxy
from tests.support.waiting import eventually


def _nobody() -> str:
    return f"amqp://user:secret@{LOOPBACK}:{choose_port()}/"


def test_nodes_are_separated_by_commas() -> None:
    """Blanks around the comma do not matter, and a comma in a password separates nothing."""
    assert nodes_of("amqp://a/") == ("amqp://a/",)
    assert nodes_of("amqp://u:p,w@a/v, amqps://b/v,amqp://c/v") == ("amqp://u:p,w@a/v", "amqps://b/v", "amqp://c/v")


def test_address_names_every_node() -> None:
    """Without the passwords."""
    assert address("amqp://u:secret@a:1/v,amqp://u:secret@b/v") == "a:1/v, b:5672/v"


async def test_connection_goes_to_a_node_that_answers(amqp_url: str) -> None:
    """Whichever of them is tried first."""
    for _ in range(6):
        async with connected(f"{_nobody()},{amqp_url},{_nobody()}", "tests") as connection:
            assert not is_lost(connection)


async def test_connection_says_that_no_node_answers() -> None:
    """One line with all addresses and no password."""
    with pytest.raises(ServiceUnreachableError, match="no node answers") as caught:
        await connect(f"{_nobody()},{_nobody()}", "tests")
    assert str(caught.value).count(LOOPBACK) == 2
    assert "secret" not in str(caught.value)


async def test_connection_says_that_it_is_refused_where_a_node_is_away(amqp_url: str) -> None:
    """A wrong password is not hidden behind a node that does not answer."""
    wrong = amqp_url.replace("guest:guest", "guest:wrong")
    for _ in range(4):
        with pytest.raises(BrokerRefusedError):
            await connect(f"{wrong},{_nobody()}", "tests")


async def test_connection_knows_that_it_was_cut(amqp_url: str) -> None:
    """A cut connection is lost although nobody closed it."""
    async with amqp_proxy(amqp_url) as (line, url), connected(url, "tests") as connection:
        assert not is_lost(connection)
        line.cut()

        async def noticed() -> bool:
            return is_lost(connection)

        await eventually(noticed)


async def test_shared_connection_is_opened_once(amqp_url: str) -> None:
    """By the first of many who ask at once; their channels are their own."""
    async with sharing(amqp_url, "tests") as shared:
        connections = await asyncio.gather(*(shared.opened() for _ in range(10)))
        assert len(set(connections)) == 1
        async with shared.holding(confirms=True) as one, shared.holding(confirms=False) as other:
            assert one is not other
            await one.close()
            assert not other.is_closed
        assert not is_lost(connections[0])
    assert is_lost(connections[0])


async def test_shared_connection_is_opened_again_after_a_loss(amqp_url: str) -> None:
    """The broker away: a plain error. The broker back: a new connection."""
    async with amqp_proxy(amqp_url) as (line, url), sharing(url, "tests") as shared:
        first = await shared.opened()
        line.cut()
        with pytest.raises(ServiceUnreachableError):
            while True:
                await shared.give_back(await shared.channel(confirms=True))
        line.mend()
        async with shared.holding(confirms=True) as channel:
            assert not channel.is_closed
        assert await shared.opened() is not first
        assert shared.address == address(url)


async def test_shared_connection_is_dropped_when_the_broker_is_silent(amqp_url: str) -> None:
    """A channel that cannot be closed shows it; the next channel has another connection."""
    async with amqp_proxy(amqp_url) as (line, url), sharing(url, "tests") as shared:
        first = await shared.opened()
        channel = await shared.channel(confirms=True)
        line.swallows = True
        await shared.give_back(channel)
        line.swallows = False
        assert is_lost(first)
        async with shared.holding(confirms=False):
            assert await shared.opened() is not first
