"""Dead letters: written by the bridge, shown, edited and retried with `saga dlq`."""

from __future__ import annotations

import json
from typing import Any

from tests.acceptance.event_deployment import EventDeployment, key
from tests.bridge.library import event
from tests.support.waiting import eventually


async def letters(deployment: EventDeployment, code: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait until `saga dlq list` shows so many open letters with this code, and return their groups."""
    found: list[dict[str, Any]] = []

    async def so_many() -> bool:
        found[:] = (await deployment.settings.saga("dlq", "list", "--code", code, "--json")).json
        return bool(sum(group["letters"] for group in found) == count)

    await eventually(so_many)
    return found


async def test_event_that_breaks_its_schema_is_mended_and_retried(event_deployment: EventDeployment) -> None:
    """`dlq list`, `show`, `edit --body`, `retry`: then its run starts, with the id that the event has had all along."""
    ticket = key()
    broken = event("ticket.ordered", {"id": 7}, f"broken-{ticket}")
    await event_deployment.bus.publish(broken)
    [group] = await letters(event_deployment, "event-invalid")
    identity = str(group["example"])
    letter = (await event_deployment.settings.saga("dlq", "show", identity, "--json")).json
    assert (letter["event_id"], letter["code"]) == (broken.id, "event-invalid")
    assert "/id" in letter["reason"]
    mended = letter["body"] | {"data": {"id": ticket}}
    file = event_deployment.settings.folder / f"{ticket}.json"
    file.write_text(json.dumps(mended))
    assert (await event_deployment.settings.saga("dlq", "edit", identity, "--body", str(file), "--json")).json[
        "changed"
    ] is True
    assert (await event_deployment.settings.saga("dlq", "retry", identity, "--json")).json == {
        "retried": [int(identity)],
        "left": [],
    }
    assert (await event_deployment.result(f"ticket/{ticket}"))["event"]["id"] == broken.id
    assert await letters(event_deployment, "event-invalid", 0) == []


async def test_messages_whose_runs_were_missing_are_retried_together(event_deployment: EventDeployment) -> None:
    """Held for a second, put aside; once the runs are there `dlq retry --all` brings each its message, once."""
    parcels = [key(), key()]
    for parcel in parcels:
        await event_deployment.bus.publish(event("parcel.hint", {"id": parcel, "say": parcel}, f"hint-{parcel}"))
    await letters(event_deployment, "run-missing", len(parcels))
    for parcel in parcels:
        given = ("--input", json.dumps({"id": parcel}), "--detach", "--json")
        assert (await event_deployment.settings.saga("run", "parcel", *given)).code == 0
    retried = (await event_deployment.settings.saga("dlq", "retry", "--all", "--json")).json
    assert (len(retried["retried"]), retried["left"]) == (len(parcels), [])
    for parcel in parcels:
        await event_deployment.wait_for_outcome(f"hint-{parcel}", "dispatched")
        await event_deployment.bus.publish(event("parcel.opened", {"id": parcel}, f"open-{parcel}"))
        assert await event_deployment.result(f"parcel/{parcel}") == parcel
    assert (await event_deployment.settings.saga("dlq", "list", "--json")).json == []
