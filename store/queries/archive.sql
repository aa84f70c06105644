Old days of the event log: read, archived, dropped, restored.

-- name: try_lock
select pg_try_advisory_xact_lock(hashtextextended('saga.archive', 0)) as held

-- name: days
select event_days.day, archived_days.restored_at
from saga.event_days left join saga.archived_days using (day)
where event_days.day is not null
order by event_days.day

-- name: lines
select
    page.xact::text::bigint as xact,
    page.position,
    page.handled_at,
    -- A line break in JSON stands outside of its texts, so a space in its place changes nothing.
    translate(row_to_json(line)::text, e'\n\r', '  ') as line
from (
    select * from saga.events
    where day = $1 and (xact, position) > ($2::text::xid8, $3::bigint)
    order by events.xact, position
    limit $4
) page cross join lateral (
    select
        page.position, page.event_id, page.event_type, page.event_version, page.source,
        to_char(page.occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') as occurred_at,
        to_char(page.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') as recorded_at,
        page.correlation_id, page.group_key, page.priority, page.outcome, page.reason, page.effects,
        to_char(page.handled_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') as handled_at,
        page.envelope
) line
order by page.xact, page.position

-- name: analyze
select saga.analyze_day($1)

-- name: fingerprint
select
    count(*) as events,
    max(position) as last_position,
    count(handled_at) as handled,
    max(handled_at) as last_handled_at
from saga.events where day = $1

-- name: be_quick
set local lock_timeout = '2s'

-- name: freeze_log
-- Before the partition: whoever marks an event holds the log and waits for its partitions, so the other order is a deadlock.
lock table only saga.events in access exclusive mode

-- name: freeze
select saga.freeze_day($1)

-- name: drop
select saga.drop_day($1)

-- name: record
insert into saga.archived_days (day, location, events, bytes, manifest)
values ($1, $2, $3, $4, $5)
on conflict (day) do update set
    location = excluded.location, events = excluded.events, bytes = excluded.bytes, manifest = excluded.manifest,
    archived_at = now(), restored_at = null

-- name: find
select day, location, events, bytes, manifest, archived_at, restored_at from saga.archived_days where day = $1

-- name: all
select day, location, events, bytes, manifest, archived_at, restored_at from saga.archived_days order by day

-- name: drop_unfinished
drop table if exists saga.restored_events

-- name: make_restored
create table saga.restored_events (like saga.events including all)

-- name: add_restored
insert into saga.restored_events (
    day, xact, position, event_id, event_type, event_version, source, occurred_at, recorded_at, correlation_id,
    group_key, priority, outcome, reason, effects, handled_at, envelope
)
-- The lowest ordinary transaction: for those who follow the log, a restored event is old.
select
    $1, '3'::xid8, position, event_id, event_type, event_version, source, occurred_at, recorded_at, correlation_id,
    group_key, priority, outcome, reason, effects::jsonb, handled_at, envelope::json
from unnest(
    $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::text[],
    $10::text[], $11::smallint[], $12::text[], $13::text[], $14::text[], $15::timestamptz[], $16::text[]
) as line (
    position, event_id, event_type, event_version, source, occurred_at, recorded_at, correlation_id,
    group_key, priority, outcome, reason, effects, handled_at, envelope
)

-- name: attach
select saga.attach_day($1)

-- name: mark_restored
insert into saga.archived_days (day, location, events, bytes, manifest, restored_at)
values ($1, $2, $3, $4, $5, now())
on conflict (day) do update set restored_at = now()
