"""Dead letters on record."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from store.database import Database
from store.dead_letters import (
    ALL,
    Letter,
    Selection,
    add,
    count,
    counts,
    drop,
    edit,
    fingerprint_of,
    get,
    groups,
    last_id,
    page,
    purge,
    set_state,
)

NOW = datetime.now(UTC)
LETTER = Letter(
    letter_id="l-1",
    event_id="evt-1",
    event_type="order.placed",
    exchange="events",
    routing_key="order.placed",
    code="run-not-found",
    reason="There is no such run. order/A1",
    attempts=3,
    first_at=NOW - timedelta(minutes=5),
    last_at=NOW,
    headers={"x-tenant": "t"},
    properties={"priority": 5},
    content_type="application/json",
    body=b'{"a": 1}',
)


def letter(identity: str, reason: str = LETTER.reason, code: str = LETTER.code) -> Letter:
    """Another letter."""
    return replace(LETTER, letter_id=identity, reason=reason, code=code)


async def test_add_stores_a_letter_once(database: Database) -> None:
    """Letters that are delivered again, also within one batch and at one moment, are one row."""
    assert await add(database, []) == []
    assert await add(database, [LETTER, LETTER, letter("l-2")]) == ["l-1", "l-2"]
    results = await asyncio.gather(*(add(database, [letter("l-3"), LETTER]) for _ in range(5)))
    assert sorted(results, key=len)[-1] == ["l-3"]
    assert await count(database) == 3


async def test_add_opens_a_letter_that_comes_once_more(database: Database) -> None:
    """The failure of a retry is news; a late redelivery of what was retried is not."""
    await add(database, [LETTER])
    await set_state(database, [1], "retried")
    assert await add(database, [LETTER]) == []
    assert await add(database, [replace(LETTER, last_at=NOW + timedelta(hours=1), reason="Again.")]) == ["l-1"]
    stored = await get(database, 1)
    assert stored is not None
    assert (stored.state, stored.reason) == ("open", "Again.")


async def test_get_returns_all_that_came(database: Database) -> None:
    """Body, headers and properties as they were."""
    await add(database, [LETTER])
    stored = await get(database, 1)
    assert stored is not None
    assert (stored.body, stored.headers, stored.properties) == (LETTER.body, LETTER.headers, LETTER.properties)
    assert (stored.first_at, stored.attempts, stored.state, stored.edited) == (LETTER.first_at, 3, "open", False)
    assert await get(database, 2) is None


async def test_add_takes_what_postgresql_would_refuse(database: Database) -> None:
    """NUL, long ids and numbers that are none do not hold up the other letters."""
    odd = replace(
        letter("\x00" * 5_000, "\x00" * 5_000),
        event_id="e" * 5_000,
        routing_key="\x00",
        attempts=2**60,
        headers={"\x00": [float("inf"), {"a\x00": "\x00", "n": 2**80}]},
        body=b"\x00\xff",
    )
    assert len(await add(database, [odd, LETTER])) == 2
    stored = await get(database, 1)
    assert stored is not None
    assert stored.headers == {"\ufffd": ["inf", {"a\ufffd": "\ufffd", "n": 2**80}]}
    assert stored.body == b"\x00\xff"


async def test_groups_put_reasons_of_one_kind_together(database: Database) -> None:
    """Ids and numbers do not make another group; codes and states do."""
    await add(database, [letter(f"l-{number}", f"There is no run order/A{number}.") for number in range(3)])
    await add(database, [letter("other", "It is too large."), letter("code", "There is no run order/A1.", "else")])
    await set_state(database, [1], "retried")
    found = [(group.state, group.code, group.letters, group.example) for group in await groups(database)]
    assert found == [("open", "run-not-found", 2, 3), ("open", "else", 1, 5), ("open", "run-not-found", 1, 4)]
    assert len(await groups(database, Selection(ALL))) == 4
    (only,) = await groups(database, Selection(code="else"))
    assert [each.letter_id for each in await page(database, Selection(fingerprint=only.fingerprint))] == ["code"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("No run order/A1 there", "No run order/B2 there"),
        ("It has 1,234 bytes", "It has 99 bytes"),
        ("Key 'a' is missing", "Key 'b c' is missing"),
        ("id 5f3c9a52-7c0e-4a53-9f0b-1f6f3f0e8f11 (try 3)", "id 0f3c9a52-7c0e-4a53-9f0b-1f6f3f0e8f12 (try 4)"),
    ],
)
def test_fingerprint_ignores_what_is_particular(one: str, other: str) -> None:
    """Ids, numbers and quoted text."""
    assert fingerprint_of("c", one) == fingerprint_of("c", other)
    assert fingerprint_of("c", one) != fingerprint_of("d", one)
    assert fingerprint_of("c", one) != fingerprint_of("c", f"{one} again")


async def test_page_goes_on_behind_an_id(database: Database) -> None:
    """In the order in which they came."""
    await add(database, [letter(f"l-{number}") for number in range(5)])
    first = await page(database, limit=2)
    assert [each.id for each in first] == [1, 2]
    assert [each.id for each in await page(database, after=2)] == [3, 4, 5]
    assert [each.id for each in await page(database, after=2, until=4)] == [3, 4]
    assert await last_id(database) == 5


async def test_drop_takes_open_letters_of_a_group(database: Database) -> None:
    """What was retried stays so."""
    await add(database, [letter("a"), letter("b"), letter("c", code="else")])
    assert await set_state(database, [1, 1], "retried") == 1
    assert await set_state(database, [1], "retried") == 0
    assert await drop(database, Selection(code="run-not-found")) == 1
    assert await counts(database) == {"run-not-found": {"retried": 1, "dropped": 1}, "else": {"open": 1}}
    assert await drop(database) == 1


async def test_edit_keeps_the_first_body_and_opens_the_letter(database: Database) -> None:
    """However often it is edited."""
    await add(database, [LETTER])
    await set_state(database, [1], "retried")
    assert await edit(database, 1, b"second")
    assert await edit(database, 1, b"third")
    stored = await get(database, 1)
    assert stored is not None
    assert (stored.body, stored.edited, stored.state) == (b"third", True, "open")
    rows = await database.fetch("select original_body from saga.dead_letters")
    assert rows == [{"original_body": LETTER.body}]
    assert not await edit(database, 2, b"")


async def test_purge_deletes_only_what_is_old(database: Database) -> None:
    """By the moment at which it was put aside."""
    old = [replace(letter(f"old-{number}"), last_at=NOW - timedelta(days=8)) for number in range(3)]
    await add(database, [*old, LETTER])
    assert await purge(database, timedelta(days=7)) == 3
    assert [each.letter_id for each in await page(database)] == ["l-1"]
