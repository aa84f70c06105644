"""RabbitMQ: whom a broker lets in, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cli.stack import rabbitmq
from cli.stack.errors import MissingServiceError
from cli.stack.events import Happening
from cli.stack.folder import StateFolder
from cli.stack.ports import choose_port
from tests.support.services.rabbitmq import Broker

pytestmark = pytest.mark.integration


async def test_running_broker_is_reused(rabbitmq_node: Broker) -> None:
    """A broker that answers and lets us in is used as it is."""
    found = await rabbitmq.reused(urlsplit(rabbitmq_node.service.url).port or 0)
    assert found is not None
    assert (found.url, found.happening) == (rabbitmq_node.service.url, Happening.REUSED)


async def test_silent_port_is_not_reused() -> None:
    """Where nothing answers there is no broker to use."""
    assert await rabbitmq.reused(choose_port()) is None


async def test_wrong_password_is_not_let_in(rabbitmq_node: Broker) -> None:
    """A handshake that the broker refuses is a no, not an error."""
    assert not await rabbitmq.lets_in(rabbitmq_node.service.url.replace("guest:guest", "guest:wrong"))


async def test_missing_server_says_what_to_install(tmp_path: Path) -> None:
    """Without `rabbitmq-server` the error names the package, the container and the setting that would help."""
    serving = rabbitmq.serving(StateFolder.at(tmp_path), rabbitmq.choose_ports(()), server=tmp_path / "absent")
    with pytest.raises(MissingServiceError) as caught:
        async with serving:
            pytest.fail("started without a server")
    for cure in ("apt-get install rabbitmq-server", "docker compose", "SAGA_AMQP_URL"):
        assert cure in str(caught.value)
