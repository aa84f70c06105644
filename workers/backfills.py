"""Starts for a time that is over: which ones a schedule would have made, and making them.

The server enumerates the times, with the jitter that it would use, so that what is counted is what is started. A time
span is [since, until), as everywhere in the product. Servers differ in whether they take the first instant of a span
along: asking from a millisecond before it is right for both, because no start lies between two seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest
from temporalio.client import Client, ScheduleBackfill, ScheduleOverlapPolicy

from workflows.language.triggers import Overlap

_INSTANT = timedelta(milliseconds=1)


async def times_between(client: Client, identity: str, since: datetime, until: datetime, most: int) -> list[datetime]:
    """Return the times in [since, until) for which a schedule starts runs, in UTC and in order.

    Args:
        client: Connected client.
        identity: Id of the Temporal schedule.
        since: The span begins here.
        until: It ends before this.
        most: When more than these were found, no more are looked for: the list is then longer than `most`, but not
            complete.

    Raises:
        RPCError: Temporal refuses, or is away.
    """
    times: list[datetime] = []
    after = since - _INSTANT
    while len(times) <= most and (page := await _page(client, identity, after, until - _INSTANT)):
        times += page
        after = page[-1]
    return times


async def made_between(client: Client, identity: str, since: datetime, until: datetime) -> int:
    """Count the runs, going on or still kept, that a schedule started for times in [since, until).

    Raises:
        RPCError: Temporal refuses, or is away.
    """
    first, last = (_spelt(moment) for moment in (since, until - _INSTANT))
    span = f"TemporalScheduledStartTime BETWEEN '{first}' AND '{last}'"
    return (await client.count_workflows(f"TemporalScheduledById = '{identity}' AND {span}")).count


async def backfill(client: Client, identity: str, since: datetime, until: datetime, overlap: Overlap) -> None:
    """Ask for the starts of [since, until), whether the schedule is paused or not; Temporal makes them by and by.

    Args:
        client: Connected client.
        identity: Id of the Temporal schedule.
        since: The span begins here.
        until: It ends before this.
        overlap: What becomes of a start while the run before it goes on.

    Raises:
        RPCError: Temporal refuses, or is away.
    """
    policy = ScheduleOverlapPolicy[overlap.upper()]
    span = ScheduleBackfill(since - _INSTANT, until - _INSTANT, policy)
    await client.get_schedule_handle(identity).backfill(span)


async def _page(client: Client, identity: str, after: datetime, until: datetime) -> list[datetime]:
    if after >= until:
        return []
    request = ListScheduleMatchingTimesRequest(
        namespace=client.namespace, schedule_id=identity, start_time=_timestamp(after), end_time=_timestamp(until)
    )
    answer = await client.workflow_service.list_schedule_matching_times(request, retry=True)
    return [time.ToDatetime(UTC) for time in answer.start_time]


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


def _spelt(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
