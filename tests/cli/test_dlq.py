"""`saga dlq` against real PostgreSQL and RabbitMQ."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aio_pika import Message
from pamqp.common import FieldTable

from bridge.amqp.letters import letter_of
from bridge.amqp.sharing import sharing
from bridge.amqp.topology import declare
from bridge.retry import AT_ONCE
from bridge.topology.layout import layout
from bridge.topology.model import Topology
from bridge.topology.names import CLASS_HEADER, DEAD_LETTERS, EVENTS, EXCHANGE_DEAD_LETTERS, PRIORITY_HEADER
from cli.exits import Exit
from contracts.envelope import Event
from store.database import Database
from store.dead_letters import Letter, Selection, add, count
from tests.support.bus import Bus, open_bus
from tests.support.command_line import Shell
from tests.support.waiting import eventually

LISTENER = "listener"


@pytest.fixture
async def bus(amqp_url: str) -> AsyncIterator[Bus]:
    """The broker that the commands use, with everything declared."""
    async with sharing(amqp_url, "test") as shared:
        await declare(await shared.opened(), layout(Topology(partitions=1), ("#",), timedelta(days=7)))
    async with open_bus(amqp_url) as opened:
        listener = await opened.channel.declare_queue(LISTENER)
        await listener.bind(EVENTS, "#")
        yield opened


@pytest.fixture
def dlq(shell: Shell, postgres_url: str, amqp_url: str) -> Shell:
    """A shell with both."""
    return shell.with_environment(SAGA_DATABASE_URL=postgres_url, SAGA_AMQP_URL=amqp_url)


def envelope(identity: str, **changes: Any) -> dict[str, Any]:
    """An event as it travels."""
    when = datetime(2030, 1, 31, 8, tzinfo=UTC)
    event = Event(identity, "order.placed", "1.0", when, "shop", {"total": 1}, {"group_id": "g"})
    return {**event.to_json(), **changes}


async def bury(
    bus: Bus, database: Database, body: bytes, code: str = "run-not-found", reason: str = "There is no run order/A1."
) -> None:
    """Put a message aside as the bridge does, and store it as the collector does."""
    headers: FieldTable = {"x-saga-code": code, "x-saga-reason": reason, "x-saga-routing-key": "order.placed"}
    message = Message(body, headers=headers, priority=7, content_type="application/json")
    exchange = await bus.channel.get_exchange(EXCHANGE_DEAD_LETTERS, ensure=False)
    await exchange.publish(message, "dlx.saga.events")
    await add(database, [letter_of(await bus.take(DEAD_LETTERS))])


async def bury_events(bus: Bus, database: Database, *ids: str) -> None:
    """Put events aside."""
    for identity in ids:
        await bury(bus, database, json.dumps(envelope(identity)).encode())


async def test_dlq_list_groups_by_cause(dlq: Shell, bus: Bus, database: Database) -> None:
    """One line for each cause, with how many, since when, and an example; for people and for scripts."""
    assert (await dlq.saga("dlq", "list")).out == "There are no open dead letters.\n"
    await bury_events(bus, database, "a", "b")
    await bury(bus, database, b"{", "malformed-event", "It is not JSON.")
    shown = await dlq.saga("dlq", "list")
    assert shown.code == Exit.OK
    assert [line.split()[0] for line in shown.out.splitlines()] == ["LETTERS", "2", "1"]
    groups = (await dlq.saga("dlq", "list", "--code", "run-not-found", "--json")).json
    assert [(group["letters"], group["example"], group["state"]) for group in groups] == [(2, 2, "open")]
    assert groups[0]["group"].startswith("run-not-found/")


async def test_dlq_show_tells_everything(dlq: Shell, bus: Bus, database: Database) -> None:
    """Reason, origin, headers, properties and an indented body; no control character reaches the terminal."""
    await bury(bus, database, json.dumps(envelope("a", data="\x1b[2J")).encode(), reason="Bad\x1b[2J\nluck.")
    shown = (await dlq.saga("dlq", "show", "1")).out
    for words in ("Dead letter 1  open", "a  order.placed", "Bad[2J luck.", "priority: 7", '"event_id": "a"'):
        assert words in shown
    assert "\x1b" not in shown
    document = (await dlq.saga("dlq", "show", "1", "--json")).json
    assert (document["body"]["event_id"], document["code"], document["routing_key"]) == (
        "a",
        "run-not-found",
        "order.placed",
    )


@pytest.mark.parametrize(
    ("body", "member"),
    [(b"plain", {"body_text": "plain"}), (b"\xff", {"body_base64": base64.b64encode(b"\xff").decode()})],
)
async def test_dlq_show_takes_any_body(
    dlq: Shell, bus: Bus, database: Database, body: bytes, member: dict[str, str]
) -> None:
    """Text and bytes that are no JSON."""
    await bury(bus, database, body)
    assert (await dlq.saga("dlq", "show", "1")).code == Exit.OK
    assert member.items() <= (await dlq.saga("dlq", "show", "1", "--json")).json.items()


async def test_dlq_retry_publishes_a_replay(dlq: Shell, bus: Bus, database: Database) -> None:
    """The same event with its key and priority, marked as a replay; the letter is no longer open."""
    await bury_events(bus, database, "a")
    result = await dlq.saga("dlq", "retry", "1")
    assert (result.code, result.out) == (Exit.OK, "1 dead letter published again.\n")
    message = await bus.take(LISTENER)
    event = json.loads(message.body)
    assert (event["event_id"], event["data"], message.priority) == ("a", {"total": 1}, 7)
    assert (message.routing_key, message.headers[CLASS_HEADER]) == ("order.placed", "high")
    assert event["metadata"]["replay"]["again"] is False
    assert (await dlq.saga("dlq", "list", "--all", "--json")).json[0]["state"] == "retried"


async def test_dlq_retry_takes_a_group_and_leaves_what_is_no_event(dlq: Shell, bus: Bus, database: Database) -> None:
    """What cannot be published stays open, with the reason and the cure, and the exit code says so."""
    await bury_events(bus, database, "a", "b")
    await bury(bus, database, b"{", "malformed-event")
    await bury(bus, database, json.dumps(envelope("c", expires_at="2020-01-01T00:00:00Z")).encode(), "expired")
    group = (await dlq.saga("dlq", "list", "--code", "run-not-found", "--json")).json[0]["group"]
    assert (await dlq.saga("dlq", "retry", "--group", group, "--json")).json == {"retried": [1, 2], "left": []}
    rest = await dlq.saga("dlq", "retry", "--all")
    assert rest.code == Exit.RUN_FAILED
    assert "left 3: The message is no event" in rest.out
    assert "left 4: Its time is over" in rest.out
    assert "`saga dlq edit 3`" in rest.out
    assert len((await dlq.saga("dlq", "list", "--json")).json) == 2


async def test_dlq_retry_takes_a_plain_payload_once_a_rule_does(dlq: Shell, bus: Bus, database: Database) -> None:
    """What was refused because nobody had said that it is one is published as the event that it is."""
    await bury(bus, database, b'{"total": 1}', "malformed-event", "It is no event.")
    refused = await dlq.saga("dlq", "retry", "1", "--json")
    assert "`plain` in topology.yaml" in refused.json["left"][0]["reason"]
    dlq.write("definitions/topology.yaml", 'partitions: 1\nplain: [{key: "order.*"}]\n')
    assert (await dlq.saga("dlq", "retry", "1", "--json")).json["retried"] == [1]
    event = json.loads((await bus.take(LISTENER)).body)
    assert (event["event_type"], event["data"], event["metadata"]["replay"]["again"]) == (
        "order.placed",
        {"total": 1},
        False,
    )
    await bury(bus, database, b"[", "malformed-event", "It is not JSON.")
    assert (await dlq.saga("dlq", "edit", "2", "--body", "-", "--json", stdin='["mended"]')).json["changed"]


async def test_dlq_retry_leaves_a_conflict_until_it_has_an_id_of_its_own(
    dlq: Shell, bus: Bus, database: Database
) -> None:
    """As a replay of the first event with its id it would do nothing; of a group the others are published."""
    await bury(bus, database, json.dumps(envelope("a")).encode(), "event-conflict", "Another event with this id.")
    await bury_events(bus, database, "b")
    refused = await dlq.saga("dlq", "retry", "1")
    assert refused.code == Exit.RUN_FAILED
    assert "left 1: Another event has its id, a: edit its event_id first." in refused.out
    together = await dlq.saga("dlq", "retry", "--all")
    assert together.code == Exit.RUN_FAILED
    assert together.out.startswith("1 dead letter published again, 1 left.\n  left 1: ")
    same_id = dlq.write("same.json", json.dumps(envelope("a", data={"total": 2})))
    assert (await dlq.saga("dlq", "edit", "1", "--body", str(same_id))).code == Exit.OK
    assert (await dlq.saga("dlq", "retry", "1", "--json")).json["retried"] == []
    own_id = dlq.write("own.json", json.dumps(envelope("a2")))
    assert (await dlq.saga("dlq", "edit", "1", "--body", str(own_id))).code == Exit.OK
    assert (await dlq.saga("dlq", "retry", "1", "--json")).json == {"retried": [1], "left": []}
    assert [json.loads((await bus.take(LISTENER)).body)["event_id"] for _ in range(2)] == ["b", "a2"]


async def test_dlq_retry_gives_the_class_of_the_topology(dlq: Shell, bus: Bus, database: Database) -> None:
    """Where priority 7 is normal, the letter goes to the queue of the others of its key; written as it is set."""
    dlq.write("definitions/topology.yaml", "priorities: {high: {from: 8}, normal: {from: 4}}\n")
    await bury_events(bus, database, "a")
    retried = await dlq.with_environment(SAGA_EVENT_FORM="cloudevents").saga("dlq", "retry", "1")
    assert retried.code == Exit.OK, retried.err
    message = await bus.take(LISTENER)
    assert (message.priority, message.headers[CLASS_HEADER]) == (4, "normal")
    assert message.headers[PRIORITY_HEADER] == 7
    assert json.loads(message.body)["specversion"] == "1.0"


async def test_dlq_edit_makes_a_letter_an_event(dlq: Shell, bus: Bus, database: Database) -> None:
    """A body that is no event is refused with what is wrong; one that is can be retried."""
    await bury(bus, database, b"{", "malformed-event")
    wrong = await dlq.saga("dlq", "edit", "1", "--body", "-", stdin='{"event_id": "x"}')
    assert wrong.code == Exit.BAD_INPUT
    assert "`event_type`" in wrong.err
    file = dlq.write("body.json", json.dumps(envelope("x")))
    changed = await dlq.saga("dlq", "edit", "1", "--body", str(file), "--json")
    assert changed.json == {"id": 1, "event_id": "x", "changed": True}
    assert (await dlq.saga("dlq", "edit", "1", "--body", str(file))).out == "Nothing was changed.\n"
    assert (await dlq.saga("dlq", "retry", "1")).code == Exit.OK
    assert json.loads((await bus.take(LISTENER)).body)["event_id"] == "x"


async def test_dlq_edit_opens_the_editor(dlq: Shell, bus: Bus, database: Database) -> None:
    """What the editor saves is kept if it is an event; an editor that saves nothing changes nothing."""
    await bury_events(bus, database, "a")
    editor = dlq.write(
        "editor.py",
        "import sys, pathlib\np = pathlib.Path(sys.argv[2])\n"
        "p.write_text(p.read_text().replace(*sys.argv[1].split('=')))\n",
    )
    for change, code, words in (
        ("zzz=y", Exit.OK, "Nothing was changed."),
        ('"total"=total', Exit.BAD_INPUT, "It is not JSON"),
        (': "a"=: "b"', Exit.OK, "b is another event than a"),
    ):
        shell = dlq.with_environment(EDITOR=f"{sys.executable} {editor} '{change}'")
        result = await shell.saga("dlq", "edit", "1")
        assert result.code == code
        assert words in result.out + result.err
    assert (await dlq.saga("dlq", "show", "1", "--json")).json["edited"] is True


async def test_dlq_drop_asks_and_drops(dlq: Shell, bus: Bus, database: Database) -> None:
    """Where nobody can be asked, --yes is needed; what was dropped is listed with --all only."""
    await bury_events(bus, database, "a", "b", "c")
    refused = await dlq.saga("dlq", "drop", "--all")
    assert (refused.code, "3 dead letters would be dropped; say --yes" in refused.err) == (Exit.BAD_INPUT, True)
    assert (await dlq.saga("dlq", "drop", "1", "--yes")).out == "1 dead letter dropped.\n"
    assert (await dlq.saga("dlq", "drop", "1", "--json")).json == {"dropped": 0}
    assert (await dlq.saga("dlq", "drop", "--group", "run-not-found", "--yes", "--json")).json == {"dropped": 2}
    assert (await dlq.saga("dlq", "list", "--json")).json == []
    assert (await dlq.saga("dlq", "list", "--all", "--json")).json[0]["letters"] == 3


async def test_dlq_says_plainly_what_is_wrong(dlq: Shell, shell: Shell, database: Database) -> None:
    """No such letter, nothing named, named twice, services away: one line each, no password."""
    for arguments, words in (
        (("show", "7"), "There is no dead letter 7"),
        (("edit", "7", "--body", "-"), "There is no dead letter 7"),
        (("retry", "7"), "There is no dead letter 7"),
        (("drop", "7"), "There is no dead letter 7"),
        (("retry",), "Name letters by their ids"),
        (("drop", "7", "--all"), "Name letters by their ids"),
    ):
        result = await dlq.saga("dlq", *arguments)
        assert result.code == Exit.BAD_INPUT, arguments
        assert words in result.err
    results = await asyncio.gather(shell.saga("dlq", "list"), shell.saga("dlq", "retry", "--all"))
    for result in results:
        assert result.code == Exit.UNREACHABLE
        assert result.err.startswith("Error: PostgreSQL does not answer")
        assert "secret" not in result.err


async def test_dlq_retry_marks_nothing_that_was_not_confirmed(
    dlq: Shell, shell: Shell, bus: Bus, database: Database
) -> None:
    """While the broker is away the letter stays open."""
    await bury_events(bus, database, "a")
    away = dlq.with_environment(SAGA_AMQP_URL=shell.environment["SAGA_AMQP_URL"])
    result = await away.saga("dlq", "retry", "--all")
    assert (result.code, result.out) == (Exit.UNREACHABLE, "")
    assert "RabbitMQ does not answer" in result.err
    assert (await dlq.saga("dlq", "list", "--json")).json[0]["letters"] == 1
    assert await bus.depth(LISTENER) == 0


async def keep(database: Database, wanted: int, **changes: Any) -> None:
    """Store letters, each with an event of its own."""
    now = datetime.now(UTC)
    first = Letter(
        letter_id="",
        event_id=None,
        event_type="order.placed",
        exchange=EVENTS,
        routing_key="order.placed",
        code="run-not-found",
        reason="No run.",
        attempts=1,
        first_at=now,
        last_at=now,
        headers={},
        properties={},
        content_type="application/json",
        body=b"",
    )
    ids = [f"many-{number}" for number in range(wanted)]
    bodies = (json.dumps(envelope(identity, **changes)).encode() for identity in ids)
    letters = [
        replace(first, letter_id=identity, event_id=identity, body=body)
        for identity, body in zip(ids, bodies, strict=True)
    ]
    for start in range(0, wanted, 500):
        await add(database, letters[start : start + 500])


async def retried(database: Database) -> int:
    """Count the letters that are closed."""
    return await count(database, Selection(("retried",)))


async def test_dlq_retry_names_each_kind_of_reason_once(dlq: Shell, bus: Bus, database: Database) -> None:
    """However many letters have it; for scripts each letter has its own."""
    await keep(database, 30, expires_at="2020-01-01T00:00:00Z")
    await bury(bus, database, b"{", "malformed-event")
    result = await dlq.saga("dlq", "retry", "--all")
    assert result.code == Exit.RUN_FAILED
    first, expired, malformed = result.out.splitlines()
    assert first == "0 dead letters published again, 31 left."
    assert expired.startswith("  left 1, 2, 3, 4, 5 and 25 more: Its time is over")
    assert malformed.startswith("  left 31: The message is no event")
    assert len((await dlq.saga("dlq", "retry", "--all", "--json")).json["left"]) == 31


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_dlq_retry_that_is_stopped_has_closed_what_it_says_and_nothing_else(
    dlq: Shell, bus: Bus, database: Database, number: signal.Signals
) -> None:
    """On Ctrl-C it says how many; killed it closed nothing unconfirmed; the next one publishes a page twice at most."""
    total = 8_000
    await keep(database, total)
    async with dlq.running("dlq", "retry", "--all") as process:

        async def begun() -> bool:
            return await bus.depth(LISTENER) > 0

        await eventually(begun)
        process.send_signal(number)
        said, _ = await process.communicate()
    closed = await retried(database)
    assert 0 <= closed <= await bus.depth(LISTENER)
    if number == signal.SIGINT:
        assert process.returncode == Exit.INTERRUPTED
        assert said.decode() == f"{closed} dead letters published again.\n"
    assert (await dlq.saga("dlq", "retry", "--all")).out == f"{total - closed} dead letters published again.\n"
    assert await retried(database) == total
    assert total <= await bus.depth(LISTENER) <= total + AT_ONCE


async def test_dlq_retry_that_meets_a_full_queue_says_what_was_done(dlq: Shell, bus: Bus, database: Database) -> None:
    """What was confirmed is closed, the others stay open."""
    full: FieldTable = {"x-max-length": 20, "x-overflow": "reject-publish"}
    queue = await bus.channel.declare_queue("full", arguments=full)
    await queue.bind(EVENTS, "#")
    await keep(database, 700)
    result = await dlq.saga("dlq", "retry", "--all")
    assert result.code not in (Exit.OK, Exit.RUN_FAILED)
    assert "RabbitMQ refused a message" in result.err
    closed = await retried(database)
    assert 0 < closed < 700
    assert result.out == f"{closed} dead letters published again.\n"


async def test_dlq_drop_and_list_take_many(dlq: Shell, bus: Bus, database: Database) -> None:
    """In slices; only what was there when it began."""
    await keep(database, 4_100)
    result = await dlq.saga("dlq", "drop", "--all", "--yes")
    assert result.out == "4100 dead letters dropped.\n"
    assert (await dlq.saga("dlq", "list", "--all", "--json")).json[0]["letters"] == 4_100
