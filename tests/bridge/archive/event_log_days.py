"""Days of the event log for tests: made in one statement, compared as a whole."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from store.database import Database, Row

_PARTITION = "create table saga.restored_events (like saga.events including all)"
_FILL = """
insert into saga.events (
    day, event_id, event_type, event_version, source, occurred_at, recorded_at, correlation_id, group_key, priority,
    envelope, outcome, reason, effects, handled_at
)
select
    day, id, type, '1.0', 'shop', start + interval '1 hour', start + number * interval '1 millisecond', 'c-' || number,
    'k-' || number % 10, number % 10,
    (
        '{"event_id":"' || id || '","event_type":"' || type || '","event_version":"1.0",'
        || '"timestamp":"2030-01-31T08:00:00Z","source":"shop","data":{"number":' || number
        || ',"text":"' || repeat('x', $3) || '","odd":"\\u0000é\\n"},"metadata":{}}'
    )::json,
    (array['dispatched', 'unrouted', null])[number % 3 + 1], case when number % 7 = 0 then 'why' end,
    case when number % 2 = 0 then jsonb_build_object('r-' || number, jsonb_build_object('kind', 'start')) end,
    case when number % 3 <> 2 then start + interval '2 hours' + number * interval '1 microsecond' end
from (
    select
        $1::date as day, $1::date::timestamp at time zone 'UTC' as start, number,
        'e-' || $1::date || '-' || number as id,
        (array['order.placed', 'order.paid', 'stock.low'])[number % 3 + 1] as type
    from generate_series(1, $2::integer) as number
) as wanted
order by number
"""
_ALL = """
select day, position, event_id, event_type, event_version, source, occurred_at, recorded_at, correlation_id, group_key,
    priority, envelope::text as envelope, outcome, reason, effects, handled_at
from saga.events where day = $1 order by position
"""


def days_ago(number: int) -> date:
    """Return a day of the past (UTC)."""
    return (datetime.now(UTC) - timedelta(days=number)).date()


async def make_day(database: Database, day: date, events: int, text: int = 10) -> None:
    """Make the partition of a day and fill it; each event has a text of so many characters."""
    async with database.transaction() as session:
        await session.execute(_PARTITION)
        await session.execute("select saga.attach_day($1)", day)
        await session.execute(_FILL, day, events, text)


async def everything_of(database: Database, day: date) -> list[Row]:
    """Return all rows of a day."""
    return await database.fetch(_ALL, day)


async def partitions(database: Database) -> list[date]:
    """Return the days that have a partition."""
    rows = await database.fetch("select day from saga.event_days order by day")
    return [row["day"] for row in rows]
