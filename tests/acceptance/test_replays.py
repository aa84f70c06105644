"""The event log, from outside: replayed, followed, archived; and what an operator looks at while the system runs."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.acceptance.post import Post, key
from tests.acceptance.processes import Finished
from tests.bridge.archive.logs import days_ago, everything_of, make_day
from tests.bridge.library import event
from tests.bridge.waiting import eventually

SOUVENIR = """
id: souvenir
version: 1.0.0
triggers:
  - event: trip.sea.booked
    start: {key: "${ event.data.id }"}
steps:
  - {id: buy, type: set, vars: {bought: true}}
"""
OLD = days_ago(40)


class Journey:
    """Three events with one group, so that what comes after a replay is handled after it."""

    def __init__(self, post: Post) -> None:
        """Name them; two go by sea, the second by rail."""
        self.post, self.group = post, key()
        self.trips = [f"{number}-{self.group}" for number in (1, 2, 3)]

    async def book(self) -> None:
        """Publish them, and wait for the end of their runs."""
        for trip, way in zip(self.trips, ("sea", "rail", "sea"), strict=True):
            await self._publish(trip, f"trip.{way}.booked")
        for trip in self.trips:
            await self.post.result(f"trip/{trip}")

    async def replay(self, *options: str, where: str = "true") -> str:
        """Replay what fits and is ours to its end, and return what was said."""
        ended = await self.post.place.saga(*self.command(*options, where=where))
        assert ended.code == 0, ended
        return ended.out

    def command(self, *options: str, where: str = "true") -> tuple[str, ...]:
        """Return the command that replays what is ours."""
        ours = f'event.metadata.group_id == "{self.group}" && !event.data.id.startsWith("marker")'
        return ("events", "replay", "--from", "1h", "--filter", f"{ours} && ({where})", "--yes", *options)

    async def come_to(self, counts: list[int], definition: str = "trip") -> None:
        """Wait until all that was published is handled, and hold that there were ever so many runs of each trip."""
        marker = f"marker-{key()}"
        await self._publish(marker, "trip.marker.booked")
        await self.post.result(f"trip/{marker}")

        async def so_many() -> bool:
            found = [await self.post.executions(f"{definition}/{trip}") for trip in self.trips]
            assert all(there <= wanted for there, wanted in zip(found, counts, strict=True)), found
            return found == counts

        await eventually(so_many)

    async def _publish(self, trip: str, kind: str) -> None:
        await self.post.bus.publish(event(kind, {"id": trip}, f"{kind}-{trip}", {"group_id": self.group}))


async def test_replay_gives_a_new_definition_what_it_missed_and_starts_nothing_twice(post: Post) -> None:
    """Runs that ended stay alone; a definition that is deployed later gets the events of its type, once."""
    journey = Journey(post)
    await journey.book()
    assert " passed, 3 published." in await journey.replay()
    await journey.come_to([1, 1, 1])
    (post.place.definitions / "souvenir.yaml").write_text(SOUVENIR)
    assert (await post.place.saga("deploy", "--json")).code == 0
    await asyncio.gather(*(part.stop() for part in (post.worker, post.bridge)))
    await asyncio.gather(*(part.start() for part in (post.worker, post.bridge)))
    for _ in range(2):
        await journey.replay()
        await journey.come_to([1, 0, 1], "souvenir")
        await journey.come_to([1, 1, 1])


async def test_replay_again_runs_each_once_though_it_is_killed_and_resumed(post: Post) -> None:
    """SIGKILL before the second event; `--resume` begins where the position was last kept: at the first."""
    journey = Journey(post)
    await journey.book()
    process = await post.place.begun(*journey.command("--again", "--rate", "0.2"))
    await post.reaches(f"trip/{journey.trips[0]}", executions=2)
    process.kill()
    await process.wait()
    [replay] = await post.database.fetch("select id, published from saga.replays where state = 'running'")
    assert replay["published"] == 0
    resumed = await post.place.saga("events", "replay", "--resume", str(replay["id"]))
    assert " passed, 3 published." in resumed.out, resumed
    await journey.come_to([2, 2, 2])


async def test_replay_takes_what_it_is_asked_for(post: Post) -> None:
    """By topic pattern and by filter; `--dry-run` says which, and does nothing."""
    journey = Journey(post)
    await journey.book()
    last = 'event.data.id.startsWith("3")'
    said = await journey.replay("--again", "--dry-run", "--type", "*.sea.*")
    assert ("2 events would be published" in said, "trip.rail.booked" in said) == (True, False)
    assert "No event would be published" in await journey.replay("--dry-run", "--type", "trip.rail.#", where=last)
    await journey.come_to([1, 1, 1])
    assert " passed, 1 published." in await journey.replay("--again", "--type", "*.sea.*", where=last)
    await journey.come_to([1, 1, 2])


async def test_operator_sees_what_happened_and_what_is_there(post: Post) -> None:
    """`saga events tail` and `top` as documents, and `saga topology diff`, which finds what the bridge declared."""
    journey = Journey(post)
    await journey.book()
    tail, top, diff = await asyncio.gather(
        post.place.saga("events", "tail", "--no-follow", "--json", "-n", "1000", "--type", "trip.rail.*"),
        post.place.saga("events", "top", "--once", "--json"),
        post.place.saga("topology", "diff"),
    )
    assert (tail.code, diff.code) == (0, 0), (tail, diff)
    [line] = [document for document in _lines(tail) if document["key"] == journey.group]
    assert (line["outcome"], line["envelope"]["data"]) == ("dispatched", {"id": journey.trips[1]})
    assert [effect["workflow_id"] for effect in line["effects"].values()] == [f"trip/{journey.trips[1]}"]
    assert (top.json["outbox"]["parked"], len(top.json["bridges"])) == (0, 1)
    assert "saga.high.1" in {queue["queue"] for queue in top.json["queues"]}
    assert "trip.rail.booked" in {rate["type"] for rate in top.json["types"]}


def _lines(finished: Finished) -> list[Any]:
    return [json.loads(line) for line in finished.out.splitlines()]


async def test_old_day_leaves_for_the_archive_and_comes_back_the_same(post: Post) -> None:
    """Into the state folder, with its manifest; restored it is in every row what it was."""
    await make_day(post.database, OLD, 20)
    before = await everything_of(post.database, OLD)
    archived = await post.place.saga("events", "archive", "--older-than", "35d")
    assert f"{OLD}: 20 events" in archived.out, archived
    assert (post.place.folder / "state" / "archive" / str(OLD) / "manifest.json").is_file()
    assert await everything_of(post.database, OLD) == []
    restored = await post.place.saga("events", "restore", str(OLD))
    assert restored.code == 0, restored
    assert await everything_of(post.database, OLD) == before
