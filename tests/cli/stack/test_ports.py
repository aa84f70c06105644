"""Ports: free ones are found, taken ones are passed over."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from cli.stack.ports import LOOPBACK, answers, choose_port, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which something listens."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_preferred_port_is_taken_when_free() -> None:
    """The first preferred port that is free is the choice."""
    free = choose_port()
    assert choose_port((free,)) == free


def test_taken_port_is_passed_over(taken: int) -> None:
    """A port on which something listens is never chosen."""
    assert not is_free(taken)
    chosen = choose_port((taken,))
    assert chosen != taken
    assert is_free(chosen)


async def test_answers_tells_a_listener_from_silence(taken: int) -> None:
    """A port answers when something listens on it, and only then."""
    assert await answers(LOOPBACK, taken)
    assert not await answers(LOOPBACK, choose_port())
