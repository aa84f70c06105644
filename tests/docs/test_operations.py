"""docs/operations.md and docs/events.md name what there is: settings, commands, queues, headers."""

from __future__ import annotations

import re
import sys
from asyncio import subprocess

from aio_pika import DeliveryMode, Message, connect
from pamqp.common import FieldTable
from pydantic_core import PydanticUndefined

from bridge.amqp import deadletters, topology
from bridge.settings import BridgeSettings
from cli.settings import PREFIX, Settings
from cli.stack.temporal import SEARCH_ATTRIBUTES
from contracts.names import EXCHANGE_EVENTS
from tests.docs.pages import examples, first_cells, section


def test_settings_are_those_of_the_model() -> None:
    """Name and default of each setting stand in the table, in the order of the model."""
    rows = re.findall(r"^\| `(\w+)` \| (?:`([^`]+)`)? ?\|", section("operations.md", "Settings"), re.MULTILINE)
    wanted = [(f"{PREFIX}{name.upper()}", field.default) for name, field in Settings.model_fields.items()]
    assert PydanticUndefined not in dict(wanted).values()
    assert rows == [(name, "" if default is None else str(default)) for name, default in wanted]


def test_search_attributes_are_those_that_are_registered() -> None:
    """The table of search attributes is that of the stack."""
    assert set(SEARCH_ATTRIBUTES) <= set(first_cells(section("operations.md", "Services")))


def test_names_on_the_bus_are_those_that_are_declared() -> None:
    """Exchanges and queues have the names that the bridge declares."""
    usual = BridgeSettings()
    names = [EXCHANGE_EVENTS, usual.queue, topology.EXCHANGE_DEAD_LETTERS, usual.dead_letter_queue, topology.UNROUTED]
    assert first_cells(section("events.md", "The names on the bus")) == names
    assert f"`{topology.dead_letter_key(usual.queue)}`" in section("events.md", "The names on the bus")
    assert f"kept for {usual.dead_letter_retention.days} days" in section("events.md", "The names on the bus")


def test_headers_of_dead_letters_are_those_that_are_written() -> None:
    """Each header of a dead letter is in the table."""
    written = {value for value in vars(deadletters).values() if isinstance(value, str) and value.startswith("x-saga-")}
    assert set(re.findall(r"x-saga-[a-z-]+", section("events.md", "Dead letters"))) == written


def test_numbers_of_the_bridge_are_those_of_its_settings() -> None:
    """What the page says about tries and delays is what the bridge does."""
    usual, text = BridgeSettings(), " ".join(section("events.md", "What the bridge does with an event").split())
    assert f"delays that grow to {usual.longest_delay.seconds} s" in text
    assert f"at least every {usual.longest_reconnect.seconds} s" in text
    assert f"tried {usual.attempts} times" in text
    assert f"after {usual.deliveries} deliveries" in text


async def test_script_for_dead_letters_shows_them_and_leaves_them(amqp_url: str) -> None:
    """The script in the page prints a dead letter with its reason, and the letter is still there afterwards."""
    [script] = examples("python", "dead-letters")
    async with await connect(amqp_url) as connection:
        channel = await connection.channel()
        arguments: FieldTable = {"x-queue-type": "quorum"}
        queue = await channel.declare_queue(BridgeSettings().dead_letter_queue, durable=True, arguments=arguments)
        headers: FieldTable = {deadletters.CODE: "malformed-event", deadletters.REASON: "It is no JSON."}
        letter = Message(b"{", headers=headers, message_id="m-1", delivery_mode=DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(letter, queue.name)
        assert await _output(script.text, amqp_url) == "m-1 malformed-event It is no JSON. b'{'\n"
        assert await _output(script.text, amqp_url) == "m-1 malformed-event It is no JSON. b'{'\n"


async def _output(script: str, amqp_url: str) -> str:
    process = await subprocess.create_subprocess_exec(
        sys.executable, "-c", script, stdout=subprocess.PIPE, env={"SAGA_AMQP_URL": amqp_url}
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()
