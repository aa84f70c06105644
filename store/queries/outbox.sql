Events on their way out. `parked` is null while a row waits for the relay, and the reason once it was put aside.

-- name: add
insert into saga.outbox (event_id, shard, envelope, priority) values ($1, $2, $3, $4)

-- name: add_many
-- $4: written once more, because nobody knows how the last try went; then what waits here already is left out, and
-- what was published meanwhile the bridge knows by its id.
insert into saga.outbox (event_id, shard, envelope)
select n.event_id, n.shard, n.envelope::json
from unnest($1::text[], $2::smallint[], $3::text[]) with ordinality as n (event_id, shard, envelope, place)
where not $4::boolean or not exists (select from saga.outbox o where o.shard = n.shard and o.event_id = n.event_id)
order by n.place

-- name: waiting_shards
select s::smallint as shard from generate_series(0, $1::integer - 1) as s
where exists (select from saga.outbox where shard = s::smallint and parked is null)

-- name: claim
select pg_try_advisory_xact_lock($1, $2) as claimed

-- name: first_rows
select id, envelope, priority, tries from saga.outbox where shard = $1 and parked is null order by id limit $2

-- name: remove
delete from saga.outbox where id = any($1::bigint[])

-- name: count_try
update saga.outbox set tries = tries + 1 where id = any($1::bigint[])

-- name: park
update saga.outbox set parked = $2, tries = tries + 1 where id = $1

-- name: state
select
    count(*) filter (where parked is null) as waiting,
    count(*) filter (where parked is not null) as parked,
    coalesce(now() - min(written_at) filter (where parked is null), interval '0') as oldest
from saga.outbox

-- name: parked
select id, event_id, envelope, written_at, tries, parked as reason
from saga.outbox where parked is not null order by id limit $1

-- name: release
update saga.outbox set parked = null where parked is not null and id = any($1::bigint[])

-- name: drop
delete from saga.outbox where parked is not null and id = any($1::bigint[])
