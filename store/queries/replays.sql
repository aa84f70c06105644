Replays: what they take from the log, and how far they are.

-- name: horizon
select pg_snapshot_xmin(pg_current_snapshot())::text as horizon

-- name: days
select day from saga.event_days where day between $1 and $2 order by day

-- name: away
select day from saga.archived_days
where day between $1 and $2 and not exists (select from saga.event_days where event_days.day = archived_days.day)
order by day

-- name: types
select event_type, count(*) as events
from saga.events
where day = $1 and xact < $2::text::xid8 and recorded_at >= $3 and recorded_at < $4
group by event_type

-- name: page
select day, xact::text as xact, position, group_key, priority, envelope
from saga.events
where day = $1 and xact < $2::text::xid8 and recorded_at >= $3 and recorded_at < $4 and event_type = any($5::text[])
    and (xact, position) > ($6::text::xid8, $7::bigint)
order by events.xact, position
limit $8

-- name: begin
insert into saga.replays (id, criteria, horizon, total) values ($1, $2, $3::text::xid8, $4)

-- name: find
select id, criteria, state, horizon::text as horizon, day, xact::text as xact, position, total, passed, published, refused
from saga.replays where id = $1

-- name: advance
update saga.replays set
    day = $2, xact = $3::text::xid8, position = $4, passed = $5, published = $6, refused = $7, changed_at = now()
where id = $1

-- name: begin_retry
insert into saga.retries (id) values ($1)

-- name: known
select id, coalesce((criteria ->> 'again')::boolean, false) as again from saga.replays where id = any($1::uuid[])
union all
select id, false from saga.retries where id = any($1::uuid[])

-- name: finish
update saga.replays set state = 'finished', changed_at = now() where id = $1
