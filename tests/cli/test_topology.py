"""`saga topology`: compare the broker with what ought to be there, and declare what is missing."""

from __future__ import annotations

import aio_pika
import pytest

from tests.support.command_line import Shell

OWN = """
partitions: 1
exchanges: {shop: {type: direct}}
queues: {audit: {max_length: 5}}
bindings: [{from: shop, to: audit, key: a}]
"""


@pytest.fixture
def on_broker(shell: Shell, amqp_url: str) -> Shell:
    """A folder with a topology, and a broker that is empty."""
    shell.write("definitions/topology.yaml", OWN)
    return shell.with_environment(SAGA_AMQP_URL=amqp_url)


async def test_diff_shows_what_is_missing(on_broker: Shell) -> None:
    """A broker without anything: all is missing, the exit code says so, and nothing is made by looking."""
    for _ in range(2):
        done = await on_broker.saga("topology", "diff", "--json")
        assert done.code == 2, done.err
        assert {each["state"] for each in done.json} == {"missing"}
        assert {"saga.events", "saga.high.0", "shop", "audit"} <= {each["name"] for each in done.json}


async def test_apply_declares_and_then_diff_agrees(on_broker: Shell) -> None:
    """After `apply` the broker has it all; a second one has nothing to do."""
    first = await on_broker.saga("topology", "apply")
    assert (first.code, "0 cannot be changed" in first.out) == (0, True), first.err
    assert (await on_broker.saga("topology", "diff")).code == 0
    assert "0 parts declared, 0 cannot be changed." in (await on_broker.saga("topology", "apply")).out


async def test_dry_run_changes_nothing(on_broker: Shell) -> None:
    """It says what would be declared."""
    for _ in range(2):
        done = await on_broker.saga("topology", "apply", "--dry-run", "--json")
        assert (done.code, done.json["dry_run"]) == (0, True), done.err
        assert "audit" in {each["name"] for each in done.json["declared"]}


async def test_apply_says_what_it_cannot_change_and_how(on_broker: Shell, amqp_url: str) -> None:
    """A queue with other properties is left as it is; the rest is declared."""
    async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
        await channel.declare_queue("audit", durable=True, arguments={"x-queue-type": "quorum", "x-max-length": 9})
    done = await on_broker.saga("topology", "apply")
    assert done.code == 2, done.err
    assert "x-max-length: 9 on the broker, 5 here" in done.out
    assert "empty it, delete it (rabbitmqctl delete_queue audit), apply again" in done.out
    differing = [
        each for each in (await on_broker.saga("topology", "diff", "--json")).json if each["state"] == "differs"
    ]
    assert [(each["name"], each["argument"], each["found"]) for each in differing] == [("audit", "x-max-length", "9")]


async def test_retention_of_the_settings_is_what_is_wanted(on_broker: Shell) -> None:
    """`saga.dead-letters` is declared and compared with the retention of the bridge, not with the default."""
    shell = on_broker.with_environment(SAGA_DEAD_LETTER_RETENTION="2d")
    assert (await shell.saga("topology", "apply")).code == 0
    assert (await shell.saga("topology", "diff")).code == 0
    other = (await on_broker.saga("topology", "diff")).out
    assert "x-message-ttl: 172800000 on the broker, 604800000 here" in other
    found = {check["about"]: check for check in (await shell.saga("doctor", "--json")).json}
    assert found["RabbitMQ"]["status"] == "ok"


async def test_surplus_partitions_are_shown_and_left(on_broker: Shell) -> None:
    """`diff`, `apply` and `doctor` name them, and what to do; with them no bridge would start."""
    on_broker.write("definitions/topology.yaml", OWN.replace("partitions: 1", "partitions: 2"))
    assert (await on_broker.saga("topology", "apply")).code == 0
    on_broker.write("definitions/topology.yaml", OWN)
    for command in ("diff", "apply"):
        done = await on_broker.saga("topology", command)
        assert done.code == 2, done.err
        for name in ("saga.high.1", "saga.normal.1", "saga.low.1"):
            assert f"rabbitmqctl delete_queue {name}" in done.out
        assert "surplus" in done.out
    document = (await on_broker.saga("topology", "apply", "--json")).json
    assert [each["name"] for each in document["cannot_change"]] == ["saga.high.1", "saga.normal.1", "saga.low.1"]
    found = {check["about"]: check for check in (await on_broker.saga("doctor", "--json")).json}
    assert found["RabbitMQ"]["status"] == "failed"
    assert "saga.high.1 (surplus)" in found["RabbitMQ"]["found"]


async def test_mistake_in_the_file_is_shown_with_its_line(on_broker: Shell) -> None:
    """The broker is not even asked."""
    file = on_broker.write("mine.yaml", "partitons: 8\n")
    done = await on_broker.saga("topology", "diff", str(file))
    assert done.code == 2
    assert "did you mean 'partitions'?" in done.err
    assert "mine.yaml:1:1" in done.err


async def test_file_that_is_not_there_is_told(on_broker: Shell) -> None:
    """A named file must be there; without a name, and without one beside the definitions, the defaults count."""
    done = await on_broker.saga("topology", "diff", "absent.yaml")
    assert (done.code, "absent.yaml cannot be read" in done.err) == (2, True)
    (on_broker.folder / "definitions" / "topology.yaml").unlink()
    assert "saga.high.7" in (await on_broker.saga("topology", "diff")).out


async def test_broker_that_is_away_is_told(shell: Shell) -> None:
    """The exit code is that of a service which cannot be reached."""
    done = await shell.saga("topology", "diff")
    assert (done.code, "RabbitMQ does not answer" in done.err) == (3, True)


async def test_schema_is_printed(shell: Shell) -> None:
    """A JSON Schema with the keys of the file."""
    assert "partitions" in (await shell.saga("topology", "schema")).json["properties"]


async def test_diff_tells_whose_messages_need_no_envelope(on_broker: Shell) -> None:
    """A rule is nothing that a broker has: it makes no difference, and is told below them."""
    rule = 'plain: [{key: "order.*", exchange: shop, id: content}, {key: a}]'
    to_events = OWN.replace("key: a}]", "key: a}, {from: shop, to: events}]")
    on_broker.write("definitions/topology.yaml", f"{to_events}{rule}\n")
    assert (await on_broker.saga("topology", "apply")).code == 0
    done = await on_broker.saga("topology", "diff")
    assert done.code == 0, done.err
    assert [line.split() for line in done.out.splitlines()[-2:]] == [
        ["order.*", "shop", "content"],
        ["a", "any", "message"],
    ]
    on_broker.write("definitions/topology.yaml", f"{OWN}{rule}\n")
    refused = await on_broker.saga("topology", "diff")
    assert refused.code == 2 and "add {from: shop, to: events} to 'bindings'" in refused.err
