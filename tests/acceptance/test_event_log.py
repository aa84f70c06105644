"""The event log by the CLI: replay, tail, archive; and the commands that show the running system."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.acceptance.event_deployment import EventDeployment, key
from tests.bridge.archive.event_log_days import days_ago, everything_of, make_day
from tests.bridge.library import event
from tests.support.command_line import Finished
from tests.support.waiting import eventually

pytestmark = pytest.mark.fault

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


class TripEvents:
    """Three events of one group, so that an event published after a replay is handled after it."""

    def __init__(self, deployment: EventDeployment) -> None:
        """Name them; two go by sea, the second by rail."""
        self.deployment, self.group = deployment, key()
        self.ids = [f"{number}-{self.group}" for number in (1, 2, 3)]

    async def publish_all(self) -> None:
        """Publish them, and wait for the end of their runs."""
        for trip, way in zip(self.ids, ("sea", "rail", "sea"), strict=True):
            await self._publish(trip, f"trip.{way}.booked")
        for trip in self.ids:
            await self.deployment.result(f"trip/{trip}")

    async def replay(self, *options: str, where: str = "true") -> str:
        """Replay the matching events of this group to the end, and return the output."""
        ended = await self.deployment.settings.saga(*self.command(*options, where=where))
        assert ended.code == 0, ended
        return ended.out

    def command(self, *options: str, where: str = "true") -> tuple[str, ...]:
        """Return the command that replays the events of this group."""
        of_group = f'event.metadata.group_id == "{self.group}" && !event.data.id.startsWith("marker")'
        return ("events", "replay", "--from", "1h", "--filter", f"{of_group} && ({where})", "--yes", *options)

    async def wait_for_runs(self, counts: list[int], definition: str = "trip") -> None:
        """Wait until all that was published is handled, and hold that there were ever so many runs of each trip."""
        marker = f"marker-{key()}"
        await self._publish(marker, "trip.marker.booked")
        await self.deployment.result(f"trip/{marker}")

        async def so_many() -> bool:
            found = [await self.deployment.executions(f"{definition}/{trip}") for trip in self.ids]
            assert all(there <= wanted for there, wanted in zip(found, counts, strict=True)), found
            return found == counts

        await eventually(so_many)

    async def _publish(self, trip: str, kind: str) -> None:
        await self.deployment.bus.publish(event(kind, {"id": trip}, f"{kind}-{trip}", {"group_id": self.group}))


async def test_replay_gives_a_new_definition_what_it_missed_and_starts_nothing_twice(
    event_deployment: EventDeployment,
) -> None:
    """Runs that ended stay alone; a definition that is deployed later gets the events of its type, once."""
    trips = TripEvents(event_deployment)
    await trips.publish_all()
    assert " passed, 3 published." in await trips.replay()
    await trips.wait_for_runs([1, 1, 1])
    (event_deployment.settings.definitions / "souvenir.yaml").write_text(SOUVENIR)
    assert (await event_deployment.settings.saga("deploy", "--json")).code == 0
    await asyncio.gather(*(part.stop() for part in (event_deployment.worker, event_deployment.bridge)))
    await asyncio.gather(*(part.start() for part in (event_deployment.worker, event_deployment.bridge)))
    for _ in range(2):
        await trips.replay()
        await trips.wait_for_runs([1, 0, 1], "souvenir")
        await trips.wait_for_runs([1, 1, 1])


async def test_replay_again_runs_each_once_though_it_is_killed_and_resumed(event_deployment: EventDeployment) -> None:
    """SIGKILL before the second event; `--resume` begins where the position was last kept: at the first."""
    trips = TripEvents(event_deployment)
    await trips.publish_all()
    process = await event_deployment.settings.start_saga(*trips.command("--again", "--rate", "0.2"))
    await event_deployment.wait_for_executions(f"trip/{trips.ids[0]}", executions=2)
    process.kill()
    await process.wait()
    [replay] = await event_deployment.database.fetch("select id, published from saga.replays where state = 'running'")
    assert replay["published"] == 0
    resumed = await event_deployment.settings.saga("events", "replay", "--resume", str(replay["id"]))
    assert " passed, 3 published." in resumed.out, resumed
    await trips.wait_for_runs([2, 2, 2])


async def test_replay_takes_what_it_is_asked_for(event_deployment: EventDeployment) -> None:
    """By topic pattern and by filter; `--dry-run` says which, and does nothing."""
    trips = TripEvents(event_deployment)
    await trips.publish_all()
    last = 'event.data.id.startsWith("3")'
    said = await trips.replay("--again", "--dry-run", "--type", "*.sea.*")
    assert ("2 events would be published" in said, "trip.rail.booked" in said) == (True, False)
    assert "No event would be published" in await trips.replay("--dry-run", "--type", "trip.rail.#", where=last)
    await trips.wait_for_runs([1, 1, 1])
    assert " passed, 1 published." in await trips.replay("--again", "--type", "*.sea.*", where=last)
    await trips.wait_for_runs([1, 1, 2])


async def test_operator_sees_what_happened_and_what_is_there(event_deployment: EventDeployment) -> None:
    """`saga events tail` and `top` as documents, and `saga topology diff`, which finds what the bridge declared."""
    trips = TripEvents(event_deployment)
    await trips.publish_all()
    tail, top, diff = await asyncio.gather(
        event_deployment.settings.saga(
            "events", "tail", "--no-follow", "--json", "-n", "1000", "--type", "trip.rail.*"
        ),
        event_deployment.settings.saga("events", "top", "--once", "--json"),
        event_deployment.settings.saga("topology", "diff"),
    )
    assert (tail.code, diff.code) == (0, 0), (tail, diff)
    [line] = [document for document in _lines(tail) if document["key"] == trips.group]
    assert (line["outcome"], line["envelope"]["data"]) == ("dispatched", {"id": trips.ids[1]})
    assert [effect["workflow_id"] for effect in line["effects"].values()] == [f"trip/{trips.ids[1]}"]
    assert (top.json["outbox"]["parked"], len(top.json["bridges"])) == (0, 1)
    assert "saga.high.1" in {queue["queue"] for queue in top.json["queues"]}
    assert "trip.rail.booked" in {rate["type"] for rate in top.json["types"]}


def _lines(result: Finished) -> list[Any]:
    return [json.loads(line) for line in result.out.splitlines()]


async def test_old_day_leaves_for_the_archive_and_comes_back_the_same(event_deployment: EventDeployment) -> None:
    """Into the state folder, with its manifest; restored it is in every row what it was."""
    await make_day(event_deployment.database, OLD, 20)
    before = await everything_of(event_deployment.database, OLD)
    archived = await event_deployment.settings.saga("events", "archive", "--older-than", "35d")
    assert f"{OLD}: 20 events" in archived.out, archived
    assert (event_deployment.settings.folder / "state" / "archive" / str(OLD) / "manifest.json").is_file()
    assert await everything_of(event_deployment.database, OLD) == []
    restored = await event_deployment.settings.saga("events", "restore", str(OLD))
    assert restored.code == 0, restored
    assert await everything_of(event_deployment.database, OLD) == before
