"""The whole way of a dead letter: put aside by the bridge, collected, and published again once the cause is mended."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Final

import pytest
from aio_pika import Message
from pamqp.common import FieldTable

from contracts.envelope import Event
from store.dead_letters import StoredLetter, edit, get
from store.event_reader import find
from tests.bridge.archive.event_log_days import days_ago
from tests.bridge.environment import KEY, BridgeEnvironment
from tests.bridge.library import definition, event, library, on, template
from tests.support.bus import Bus
from tests.support.waiting import eventually
from workflows.language.triggers import IfRunning, Signal, Start

BROKEN = Start(template("${ event.data.missing }"))
TAKEN_AWAY: Final = (
    "insert into saga.archived_days (day, location, events, bytes, manifest) values ($1, 'there', 1, 1, '{}')"
)


def _about(key: str, kind: str, say: str = "") -> Event:
    return event(kind, {"id": key, "say": say}, f"{kind}-{key}-{say}")


async def _said(env: BridgeEnvironment, letter: StoredLetter) -> str:
    """What the letter says of its retry, which is written before the message is acknowledged."""
    found = await get(env.database, letter.id)
    assert found is not None
    assert found.state == "retried"
    return found.outcome or ""


async def test_retry_is_handled_although_the_event_was_seen_and_is_not_done_twice(
    env: BridgeEnvironment, bus: Bus
) -> None:
    """A signal for a run that was not there is delivered once it is; retried once more, it is not delivered again."""
    key = env.key()
    note = _about(key, "patient.note", "once")
    async with env.bridge() as bridge:
        await bus.publish(note)
        letter = await env.letter()
        assert (letter.event_id, letter.exchange, letter.routing_key) == (note.id, "events", note.type)
        await bus.publish(_about(key, "patient.begin"))
        await env.outcomes.until(2)
        await env.retry(letter)
        await env.outcomes.until(3)
        assert await _said(env, letter) == f"signalled patient/{key}."
        await env.retry(letter)
        await env.outcomes.until(4)
        assert await _said(env, letter) == f"signalled patient/{key} (before, not again)."
        await bus.publish(_about(key, "patient.note", "end"))
        await env.outcomes.until(5)
        assert bridge.counts == {"dead-lettered": 1, "dispatched": 4}
    (logged,) = await find(env.database, note.id)
    assert logged.outcome == "dispatched"
    assert [said[0] for said in await env.run(f"patient/{key}").result()] == ["once", "end"]
    assert await env.letters(0) == []


@pytest.mark.parametrize("if_running", ["ignore", "fail", "terminate", "signal"])
async def test_retry_starts_what_the_event_never_started_although_its_key_had_another_run(
    env: BridgeEnvironment, bus: Bus, if_running: IfRunning
) -> None:
    """The trigger was wrong and is mended, the run of an earlier event has ended; a second retry starts nothing."""
    key = env.key()
    earlier, late = on("quick.early", Start(KEY)), "quick.late"
    wrong = library(definition("quick", earlier, on(late, BROKEN)))
    mended = library(definition("quick", earlier, on(late, Start(KEY, if_running=if_running))))
    async with env.bridge(loaded=wrong):
        await bus.publish(_about(key, "quick.early"))
        await bus.publish(_about(key, late))
        await env.outcomes.until(2)
        letter = await env.letter()
        await env.finished_once(f"quick/{key}")
    async with env.bridge(loaded=mended):
        await env.retry(letter)
        await env.outcomes.until(3)
        assert await _said(env, letter) == f"started quick/{key}."
        await env.run(f"quick/{key}").result()
        await env.retry(letter)
        await env.outcomes.until(4)
        assert await _said(env, letter) == f"already-started quick/{key} (before, not again)."
    assert await env.finished(f"quick/{key}") == 2
    assert await env.letters(0) == []


async def test_retry_obeys_what_the_trigger_says_of_a_running_run(env: BridgeEnvironment, bus: Bus) -> None:
    """`if_running: fail` while another event's run is running: a dead letter again, and the first one says so."""
    key = env.key()
    wrong = library(definition("patient", on("patient.begin", Start(KEY)), on("patient.only", BROKEN)))
    async with env.bridge(loaded=wrong):
        await bus.publish(_about(key, "patient.begin"))
        await bus.publish(_about(key, "patient.only"))
        letter = await env.letter()
    async with env.bridge():
        await env.retry(letter)
        await env.outcomes.until(3)
        again = await env.letter()
        assert again.code == "run-exists"
        assert (await _said(env, letter)).startswith("dead-lettered again: ")
        await bus.publish(_about(key, "patient.note", "end"))
        assert await env.notes(key) == ["end"]
        await env.retry(again)
        await env.begun([f"patient/{key}"])

        async def started() -> bool:
            return await _said(env, again) == f"started patient/{key}."

        await eventually(started)


async def test_retry_of_an_event_that_was_edited_starts_a_run_of_a_key_that_had_one(
    env: BridgeEnvironment, bus: Bus
) -> None:
    """With the id that it had all along, and its data mended."""
    key = env.key()
    broken = event("quick.go", {"ID": key}, f"{key}-2")
    async with env.bridge():
        await bus.publish(_about(key, "quick.go"))
        await env.finished_once(f"quick/{key}")
        await bus.publish(broken)
        letter = await env.letter()
        body = json.dumps(event("quick.go", {"id": key}, broken.id).to_json()).encode()
        await edit(env.database, letter.id, body)
        edited = await get(env.database, letter.id)
        assert edited is not None
        await env.retry(edited)
        await env.outcomes.until(3)
        assert await _said(env, letter) == f"started quick/{key}."
    assert await env.finished(f"quick/{key}") == 2


async def test_retry_does_what_one_of_two_triggers_failed_to_do_and_nothing_else(
    env: BridgeEnvironment, bus: Bus
) -> None:
    """Also where mending put the triggers at other places: what was done is told by what it was done to."""
    key = env.key()
    before = library(
        definition("patient", on("both.now", Start(KEY)), on("patient.note", Signal(KEY, "note"))),
        definition("quick", on("both.now", BROKEN)),
    )
    after = library(
        definition(
            "patient",
            on("patient.new", Start(KEY)),
            on("patient.note", Signal(KEY, "note")),
            on("both.now", Start(KEY)),
        ),
        definition("quick", on("quick.new", Start(KEY)), on("both.now", Start(KEY))),
    )
    async with env.bridge(loaded=before):
        await bus.publish(_about(key, "both.now"))
        letter = await env.letter()
        await bus.publish(_about(key, "patient.note", "end"))
        assert await env.notes(key) == ["end"]
    async with env.bridge(loaded=after):
        await env.retry(letter)
        await env.outcomes.until(3)
        assert await _said(env, letter) == f"already-started patient/{key} (before, not again), started quick/{key}."
    assert (await env.finished(f"patient/{key}"), await env.finished(f"quick/{key}")) == (1, 1)


async def test_retry_after_the_window_finds_what_was_done_in_the_log(env: BridgeEnvironment, bus: Bus) -> None:
    """The id is forgotten and another run has the key since, so that Temporal cannot tell either."""
    key = env.key()
    loaded = library(definition("quick", on("quick.*", Start(KEY))), definition("patient", on("quick.a", BROKEN)))
    async with env.bridge(loaded=loaded, window=timedelta(milliseconds=1)):
        await bus.publish(_about(key, "quick.a"))
        letter = await env.letter()
        await env.finished_once(f"quick/{key}")
        await bus.publish(_about(key, "quick.b"))
        await env.outcomes.until(2)
        await env.run(f"quick/{key}").result()
        await env.retry(letter)
        await env.outcomes.until(3)
        assert (await _said(env, letter)).startswith(f"already-started quick/{key} (before, not again); dead-lettered")
    assert await env.finished(f"quick/{key}") == 2


async def test_retry_guesses_nothing_where_the_day_has_left_the_log(env: BridgeEnvironment, bus: Bus) -> None:
    """Nobody knows what it did: it is put aside again, and names the day to restore."""
    key, day = env.key(), days_ago(3)
    async with env.bridge(loaded=library(definition("quick", on("quick.go", BROKEN)))):
        await bus.publish(_about(key, "quick.go"))
        letter = await env.letter()
    await env.database.fetch(TAKEN_AWAY, day)
    await env.database.fetch("update saga.dead_letters set first_at = $1", letter.first_at - timedelta(days=3))
    old = await get(env.database, letter.id)
    assert old is not None
    async with env.bridge():
        await env.retry(old)
        again = await env.letter()
        assert again.code == "effect-unknown"
        assert f"saga events restore {day}" in again.reason
        await env.database.fetch("delete from saga.archived_days")
        await env.retry(old)
        await env.finished_once(f"quick/{key}")


async def test_dead_letter_of_a_foreign_consumer_is_kept_and_goes_back_to_where_it_came_from(
    env: BridgeEnvironment, bus: Bus
) -> None:
    """A consumer as the seed has it, which rejects; a queue of its own at `dlx` has its copy; nothing is done twice."""
    key = env.key()
    dying: FieldTable = {"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "dlx.quick.*"}
    async with env.bridge():
        theirs = await bus.channel.declare_queue("quick.events", arguments=dying)
        await theirs.bind("events", "quick.*")
        beside = await bus.channel.declare_queue("their.letters")
        await beside.bind("dlx", "dlx.quick.*")
        await bus.publish(_about(key, "quick.go"))
        await env.finished_once(f"quick/{key}")
        await (await theirs.get()).reject(requeue=False)
        letter = await env.letter()
        assert (letter.code, letter.event_id, letter.exchange, letter.routing_key) == (
            "rejected",
            f"quick.go-{key}-",
            "events",
            "quick.go",
        )
        assert "quick.events" in letter.reason
        assert await bus.depth("their.letters") == 1
        await env.retry(letter)
        await env.outcomes.until(2)
        assert await _said(env, letter) == f"already-started quick/{key} (before, not again)."
        assert json.loads((await bus.take("quick.events")).body)["event_id"] == letter.event_id
    assert await env.finished(f"quick/{key}") == 1


async def test_dead_letter_of_a_foreign_exchange_goes_back_there_or_is_left(env: BridgeEnvironment, bus: Bus) -> None:
    """By its routing key, to that exchange alone; where it is gone the letter stays and says so."""
    dying: FieldTable = {"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "dlx.theirs"}
    async with env.bridge():
        exchange = await bus.channel.declare_exchange("shop", "topic", auto_delete=False)
        theirs = await bus.channel.declare_queue("theirs", arguments=dying)
        await theirs.bind(exchange, "a.*")
        for body in (json.dumps(_about("k", "quick.go").to_json()).encode(), b"?"):
            await exchange.publish(Message(body), "a.b")
            await (await theirs.get()).reject(requeue=False)
        event_letter, other = await env.letters(2)
        assert (event_letter.exchange, event_letter.routing_key, other.event_type) == ("shop", "a.b", None)
        progress = await env.retry(event_letter, other)
        assert (progress.published, list(progress.left)) == ([event_letter.id], [other.id])
        assert (await bus.take("theirs")).routing_key == "a.b"
        await exchange.delete()
        progress = await env.retry(event_letter)
        assert "There is no exchange shop." in progress.left[event_letter.id]
    assert len(env.outcomes) == 0
