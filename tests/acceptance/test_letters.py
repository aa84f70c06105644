"""Dead letters, from outside: put aside by the bridge, looked at, mended and retried with `saga dlq`."""

from __future__ import annotations

import json
from typing import Any

from tests.acceptance.post import Post, key
from tests.bridge.library import event
from tests.bridge.waiting import eventually


async def letters(post: Post, code: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait until `saga dlq list` shows so many open letters with this code, and return their groups."""
    found: list[dict[str, Any]] = []

    async def so_many() -> bool:
        found[:] = (await post.place.saga("dlq", "list", "--code", code, "--json")).json
        return bool(sum(group["letters"] for group in found) == count)

    await eventually(so_many)
    return found


async def test_event_that_breaks_its_schema_is_mended_and_retried(post: Post) -> None:
    """`dlq list`, `show`, `edit --body`, `retry`: then its run starts, with the id that the event has had all along."""
    errand = key()
    broken = event("errand.ordered", {"id": 7}, f"broken-{errand}")
    await post.bus.publish(broken)
    [group] = await letters(post, "event-invalid")
    identity = str(group["example"])
    letter = (await post.place.saga("dlq", "show", identity, "--json")).json
    assert (letter["event_id"], letter["code"]) == (broken.id, "event-invalid")
    assert "/id" in letter["reason"]
    mended = letter["body"] | {"data": {"id": errand}}
    file = post.place.folder / f"{errand}.json"
    file.write_text(json.dumps(mended))
    assert (await post.place.saga("dlq", "edit", identity, "--body", str(file), "--json")).json["changed"] is True
    assert (await post.place.saga("dlq", "retry", identity, "--json")).json == {"retried": [int(identity)], "left": []}
    assert (await post.result(f"errand/{errand}"))["event"]["id"] == broken.id
    assert await letters(post, "event-invalid", 0) == []


async def test_messages_whose_runs_were_missing_are_retried_together(post: Post) -> None:
    """Held for a second, put aside; once the runs are there `dlq retry --all` brings each its message, once."""
    parcels = [key(), key()]
    for parcel in parcels:
        await post.bus.publish(event("parcel.hint", {"id": parcel, "say": parcel}, f"hint-{parcel}"))
    await letters(post, "run-missing", len(parcels))
    for parcel in parcels:
        given = ("--input", json.dumps({"id": parcel}), "--detach", "--json")
        assert (await post.place.saga("run", "parcel", *given)).code == 0
    retried = (await post.place.saga("dlq", "retry", "--all", "--json")).json
    assert (len(retried["retried"]), retried["left"]) == (len(parcels), [])
    for parcel in parcels:
        await post.becomes(f"hint-{parcel}", "dispatched")
        await post.bus.publish(event("parcel.opened", {"id": parcel}, f"open-{parcel}"))
        assert await post.result(f"parcel/{parcel}") == parcel
    assert (await post.place.saga("dlq", "list", "--json")).json == []
