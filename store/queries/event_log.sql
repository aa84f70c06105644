The event log, deduplication, and events that wait for their next try.

-- name: record
with batch as materialized (
    select * from unnest(
        $1::text[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[],
        $9::smallint[], $10::text[], $11::boolean[]
    ) with ordinality as batch (
        event_id, digest, event_type, event_version, source, occurred_at, correlation_id, group_key,
        priority, envelope, is_replay, place
    )
), firsts as materialized (
    select distinct on (event_id) * from batch order by event_id, place
), known as materialized (
    select seen.event_id, seen.digest, seen.day, seen.handled
    from firsts cross join lateral (
        select * from saga.seen_events where seen_events.event_id = firsts.event_id limit 1
    ) as seen
    where seen.seen_at >= now() - $12::interval
), claimed as (
    insert into saga.seen_events as seen (event_id, digest, day, seen_at)
    select event_id, digest, (now() at time zone 'utc')::date, now()
    from firsts
    where not exists (select from known where known.event_id = firsts.event_id)
    order by event_id
    on conflict (event_id) do update
        set digest = excluded.digest, day = excluded.day, seen_at = excluded.seen_at, handled = false
        where seen.seen_at < now() - $12::interval
    returning event_id
), logged as (
    insert into saga.events (
        day, event_id, event_type, event_version, source, occurred_at, recorded_at, correlation_id, group_key,
        priority, envelope
    )
    select
        (now() at time zone 'utc')::date, event_id, event_type, event_version, source, occurred_at, now(),
        correlation_id, group_key, priority, envelope::json
    from firsts join claimed using (event_id)
    order by place
    on conflict (event_id, day) do update set
        position = excluded.position, xact = excluded.xact, recorded_at = excluded.recorded_at,
        event_type = excluded.event_type, event_version = excluded.event_version, source = excluded.source,
        occurred_at = excluded.occurred_at, correlation_id = excluded.correlation_id, group_key = excluded.group_key,
        priority = excluded.priority, envelope = excluded.envelope,
        outcome = null, reason = null, handled_at = null,
        -- What counts as new has done nothing; a replay still has done what it did.
        effects = case
            when exists (select from firsts where firsts.event_id = excluded.event_id and firsts.is_replay)
            then events.effects
        end
)
select
    case
        when known.event_id is null and claimed.event_id is null then null
        when known.event_id is null and batch.place = firsts.place then 'new'
        when batch.is_replay then 'again'
        when batch.digest <> coalesce(known.digest, firsts.digest) then 'conflict'
        when known.handled then 'duplicate'
        else 'again'
    end as status,
    (
        select max(greatest(due_at - now(), interval '0')) from saga.delayed_events as delayed
        where delayed.group_key = batch.group_key and delayed.event_id <> batch.event_id
            -- One that is lost with its delay queue must not hold up its key for ever.
            and delayed.due_at > now() - interval '1 hour'
            and delayed.position < coalesce((
                select position from saga.events where events.event_id = known.event_id and events.day = known.day
            ), delayed.position + 1)
    ) as behind,
    case when batch.is_replay or not known.handled then (
        select effects from saga.events where events.event_id = known.event_id and events.day = known.day
    ) end as done
from batch
join firsts using (event_id)
left join known using (event_id)
left join claimed using (event_id)
-- The message is not acknowledged yet, and the commit of `mark` flushes this one too: nothing is lost by not waiting.
cross join (select set_config('synchronous_commit', 'off', true)) as relaxed
order by batch.place

-- name: past
with away as materialized (
    select day from saga.archived_days except select day from saga.event_days
), begun as materialized (
    -- What a replay does is on record on a day from its beginning on.
    select distinct (begun_at at time zone 'utc')::date as day
    from (select begun_at from saga.replays union all select begun_at from saga.retries) as replays
)
select
    (
        select jsonb_object_agg(effect.key, effect.value order by events.day)
        from saga.events cross join lateral jsonb_each(events.effects) as effect
        where events.event_id = wanted.event_id
    ) as done,
    (
        select max(away.day) from away
        where wanted.since is null
            or away.day = wanted.since
            or exists (select from begun where begun.day between wanted.since and away.day)
    ) as missing
from unnest($1::text[], $2::date[]) with ordinality as wanted (event_id, since, place)
order by wanted.place

-- name: mark
with batch as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[])
    as batch (event_id, outcome, reason, effects, of_held)
), handled as (
    update saga.seen_events set handled = true
    from batch where seen_events.event_id = batch.event_id
    returning seen_events.event_id, seen_events.day, batch.outcome, batch.reason, batch.effects, batch.of_held
), freed as (
    delete from saga.delayed_events using batch where delayed_events.event_id = batch.event_id
), updated as (
    update saga.events set
        outcome = case
            when handled.of_held and handled.outcome = 'dispatched' and events.outcome <> 'held' then events.outcome
            -- What was to be held was delivered before this mark came: a keeper may be quicker.
            when handled.outcome = 'held' and exists (
                select from jsonb_each(handled.effects::jsonb) as effect
                where effect.value ->> 'kind' = 'held' and events.effects -> effect.key ->> 'kind' <> 'held'
            ) then events.outcome
            else handled.outcome
        end,
        reason = coalesce(handled.reason, case when handled.of_held then events.reason end),
        effects = case
            when handled.outcome = 'held' then handled.effects::jsonb || coalesce(events.effects, '{}')
            else coalesce(events.effects, '{}') || handled.effects::jsonb
        end,
        handled_at = clock_timestamp()
    from handled
    where events.event_id = handled.event_id and events.day = handled.day
)
select event_id from handled

-- name: delay
with known as (
    select event_id, day, position from saga.seen_events join saga.events using (event_id, day)
    where seen_events.event_id = $1
), kept as (
    update saga.events set effects = coalesce(events.effects, '{}') || $4::jsonb
    from known where events.event_id = known.event_id and events.day = known.day and $4 <> '{}'
)
insert into saga.delayed_events (event_id, group_key, due_at, position)
select $1, $2, clock_timestamp() + $3::interval, position from known
on conflict (event_id) do update set group_key = excluded.group_key, due_at = excluded.due_at
returning event_id

-- name: ensure_days
select saga.ensure_days($1) as day

-- name: forget_seen
delete from saga.seen_events where event_id in (
    select event_id from saga.seen_events where seen_at < now() - $1::interval limit $2 for update skip locked
)

-- name: forget_delayed
delete from saga.delayed_events where due_at < now() - interval '1 day'

-- name: lag
select now() - min(seen_at) as lag
from saga.seen_events
where not handled and seen_at > now() - interval '2 days'

-- name: recent
select
    event_type,
    count(*) as events,
    count(*) filter (where outcome is null) as in_hand,
    count(*) filter (where outcome = 'dead-lettered') as dead_lettered,
    max(recorded_at) as latest
from saga.events
where recorded_at > now() - $1::interval and day >= ((now() - $1::interval) at time zone 'utc')::date
group by event_type
order by events desc, event_type

-- name: read_after
select
    xact::text::bigint as xact, position, day, event_id, event_type, event_version, source, occurred_at, recorded_at,
    correlation_id, group_key, priority, envelope, outcome, reason, effects, handled_at
from saga.events
where xact < pg_snapshot_xmin(pg_current_snapshot())
    and (xact, position) > ($1::text::xid8, $2::bigint)
    and ($4::text is null or '.' || event_type ~ $4)
    and ($5::timestamptz is null or recorded_at >= $5 and day >= ($5 at time zone 'utc')::date)
    and ($6::timestamptz is null or recorded_at < $6 and day <= ($6 at time zone 'utc')::date)
    and ($7::text[] is null or outcome = any($7))
    and ($8::text is null or correlation_id = $8)
    and ($9::text is null or group_key = $9)
order by events.xact, position
limit $3

-- name: latest
select
    xact::text::bigint as xact, position, day, event_id, event_type, event_version, source, occurred_at, recorded_at,
    correlation_id, group_key, priority, envelope, outcome, reason, effects, handled_at
from saga.events
where xact < pg_snapshot_xmin(pg_current_snapshot())
    and ($2::text is null or '.' || event_type ~ $2)
    and ($3::timestamptz is null or recorded_at >= $3 and day >= ($3 at time zone 'utc')::date)
    and ($4::timestamptz is null or recorded_at < $4 and day <= ($4 at time zone 'utc')::date)
    and ($5::text[] is null or outcome = any($5))
    and ($6::text is null or correlation_id = $6)
    and ($7::text is null or group_key = $7)
order by events.xact desc, position desc
limit $1

-- name: count
select count(*) as events
from saga.events
where xact < pg_snapshot_xmin(pg_current_snapshot())
    and (xact, position) > ($1::text::xid8, $2::bigint)
    and ($3::text is null or '.' || event_type ~ $3)
    and ($4::timestamptz is null or recorded_at >= $4 and day >= ($4 at time zone 'utc')::date)
    and ($5::timestamptz is null or recorded_at < $5 and day <= ($5 at time zone 'utc')::date)
    and ($6::text[] is null or outcome = any($6))
    and ($7::text is null or correlation_id = $7)
    and ($8::text is null or group_key = $8)

-- name: horizon
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xact

-- name: find
select
    xact::text::bigint as xact, position, day, event_id, event_type, event_version, source, occurred_at, recorded_at,
    correlation_id, group_key, priority, envelope, outcome, reason, effects, handled_at
from saga.events
where event_id = $1
order by events.xact, position
