"""Messages that wait for a run: kept once, claimed by one, in order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from store import held
from store.database import Database
from store.held import HeldMessage

NOW = timedelta()
HOUR = timedelta(hours=1)


def message(
    request: str, target: str = "order/1", *, lasts: timedelta = HOUR, matched: tuple[str, ...] = ()
) -> HeldMessage:
    """Make a message; its event holds what PostgreSQL's jsonb would refuse."""
    event = {"event_id": f"evt-{request}", "data": "\x00\ud800"}
    return HeldMessage(request, target, "order", 3, {"signal": "n"}, event, datetime.now(UTC) + lasts, matched)


async def due(database: Database) -> list[str] | None:
    """Claim what is due, take out the first and return the requests that were claimed."""
    async with held.claim_due(database) as claim:
        if claim is None:
            return None
        await claim.remove(claim.messages[0].request_id)
        return [one.request_id for one in claim.messages]


async def test_message_comes_back_as_it_was_kept(database: Database) -> None:
    """Nothing is lost on the way, and a second adding changes nothing."""
    kept = message("a", matched=("order/1", "order/2"))
    await held.add(database, kept, NOW)
    await held.add(database, message("a", "order/other"), NOW)
    async with held.claim_due(database) as claim:
        assert claim is not None
        assert (claim.target, list(claim.messages)) == ("order/1", [kept])
    assert await held.count(database) == 1


async def test_messages_of_a_target_are_claimed_together_and_in_order(database: Database) -> None:
    """They stay in the order in which they came."""
    for request in ("c", "a", "b"):
        await held.add(database, message(request), NOW)
    assert [await due(database) for _ in range(4)] == [["c", "a", "b"], ["a", "b"], ["b"], None]


async def test_message_behind_another_is_not_due_before_it(database: Database) -> None:
    """As long as the first waits, so do the others."""
    await held.add(database, message("a"), HOUR)
    await held.add(database, message("b"), NOW)
    assert await due(database) is None


async def test_target_that_somebody_has_is_passed_over(database: Database) -> None:
    """Another bridge takes another target, or none."""
    await held.add(database, message("a"), NOW)
    await held.add(database, message("a2"), NOW)
    await held.add(database, message("b", "order/2"), NOW)
    async with held.claim_due(database) as first, held.claim_due(database) as second, held.claim_due(database) as third:
        assert first is not None
        assert second is not None
        assert (first.target, second.target, third) == ("order/1", "order/2", None)


async def test_claim_of_one_target_waits_for_who_has_it(database: Database) -> None:
    """And then finds what is left."""
    await held.add(database, message("a"), HOUR)

    async def take() -> list[str]:
        async with held.claim(database, "order/1") as claim:
            if claim is None:
                return []
            await claim.remove("a")
            return [one.request_id for one in claim.messages]

    taken = await asyncio.gather(*(take() for _ in range(5)))
    assert sorted(taken) == [[], [], [], [], ["a"]]


async def test_claim_that_fails_changes_nothing(database: Database) -> None:
    """What was taken out is there again."""
    await held.add(database, message("a"), NOW)
    with pytest.raises(LookupError):
        async with held.claim_due(database) as claim:
            assert claim is not None
            await claim.remove("a")
            raise LookupError
    assert await due(database) == ["a"]


async def test_tries_grow_apart_up_to_half_a_minute(database: Database) -> None:
    """1 s, 2 s, 4 s and so on."""
    await held.add(database, message("a"), NOW)
    waits = []
    for _ in range(8):
        async with held.claim(database, "order/1") as claim:
            assert claim is not None
            await claim.postpone("a")
            [row] = await claim.session.fetch(
                "select extract(epoch from next_try_at - clock_timestamp()) as wait from saga.held_events"
            )
            waits.append(round(row["wait"]))
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]


async def test_next_try_is_when_the_first_of_the_target_expires(database: Database) -> None:
    """So that it is tried a last time, and given up in time; but never at once again."""
    await held.add(database, message("a"), NOW)
    await held.add(database, message("b", lasts=timedelta(seconds=5)), NOW)
    await held.add(database, message("c", lasts=-HOUR), HOUR)
    for _ in range(6):
        async with held.claim(database, "order/1") as claim:
            assert claim is not None
            assert [one.is_over for one in claim.messages] == [False, False, True]
            await claim.postpone("a")
    [row] = await database.fetch(
        "select next_try_at - clock_timestamp() as wait from saga.held_events where request_id = 'a'"
    )
    assert timedelta() < row["wait"] <= timedelta(seconds=1)


async def test_matched_message_is_due_at_once(database: Database) -> None:
    """The runs that it is for are on disk before it is delivered."""
    await held.add(database, message("a"), HOUR)
    async with held.claim(database, "order/1") as claim:
        assert claim is not None
        await claim.match("a", ["order/7"])
    async with held.claim_due(database) as claim:
        assert claim is not None
        assert claim.messages[0].matched == ("order/7",)


async def test_message_that_is_forgotten_waits_no_more(database: Database) -> None:
    """Others of its target still do."""
    await held.add(database, message("a"), NOW)
    await held.add(database, message("b", "order/2"), NOW)
    await held.forget(database, "a")
    await held.forget(database, "a")
    assert [await held.waits(database, target) for target in ("order/1", "order/2", "order/3")] == [False, True, False]
