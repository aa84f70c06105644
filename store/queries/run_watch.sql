-- What watchers of runs ask of the projection: figures, runs that take too long, runs that do not move. All times are
-- compared with the database's clock.

-- name: claim
select pg_try_advisory_xact_lock($1) as claimed

-- name: open_runs
select definition, version, status, count(*) as runs
from saga.runs where ended_at is null and part_of is null
group by definition, version, status
order by definition, version, status
limit $1

-- name: waiting_approvals
-- $1: the upper bounds of the ages, ascending; the last age has none.
select
    r.definition,
    width_bucket(extract(epoch from now() - a.since)::float8, $1::float8[]) as age,
    count(*) as approvals,
    greatest(extract(epoch from now() - min(a.since)), 0)::float8 as oldest
from saga.approvals a join saga.runs r on r.id = a.run_id
where a.decided_at is null and r.ended_at is null
group by r.definition, age
order by r.definition, age

-- name: find_breaches
-- Two halves, each with an index of its own. Those that have ended since count too; what ended long ago was looked at when it did.
with limits as (
    select * from unnest($1::text[], $2::text[], $3::float8[]) as l (definition, version, seconds)
), late as (
    select r.id, r.workflow_id, r.definition, r.version, r.key, r.correlation_id, r.status, r.started_at, r.ended_at,
        l.seconds as limit_seconds,
        extract(epoch from coalesce(r.ended_at, now()) - r.started_at)::float8 as took_seconds
    from (
        select * from saga.runs where ended_at is null
        union all
        select * from saga.runs where ended_at > now() - $4::interval
    ) r join limits l on r.definition = l.definition and r.version = l.version
    where r.part_of is null
        and coalesce(r.ended_at, now()) > r.started_at + l.seconds * interval '1 second'
        and not exists (select from saga.sla_breaches b where b.run_id = r.id)
    order by r.started_at
    limit $5
), told as (
    insert into saga.sla_breaches (run_id, definition, version) select id, definition, version from late
    on conflict (run_id) do nothing
    returning run_id
)
select late.* from late join told on told.run_id = late.id order by late.started_at

-- name: forget_breaches
delete from saga.sla_breaches where found_at < now() - $1::interval

-- name: overdue
-- Open runs past their expected time: what their definition says, else so many times the 99th percentile of ended ones.
with limits as (
    select * from unnest($1::text[], $2::text[], $3::float8[]) as l (definition, version, seconds)
), usual as (
    select e.definition,
        $5::float8 * percentile_cont(0.99) within group (order by extract(epoch from e.ended_at - e.started_at)) as seconds,
        count(*) as runs
    from (
        select definition, started_at, ended_at, part_of from saga.runs
        where ended_at > now() - interval '30 days'
        order by ended_at desc limit $7
    ) e
    where e.part_of is null
    group by e.definition
    having count(*) >= $4
)
select r.id, r.execution, r.workflow_id, r.definition, r.version, r.status, r.started_at, r.changed_at,
    extract(epoch from now() - r.started_at)::float8 as took_seconds,
    coalesce(l.seconds, u.seconds)::float8 as expected_seconds,
    l.seconds is not null as by_definition,
    coalesce(u.runs, 0) as known_runs
from saga.runs r
left join limits l on l.definition = r.definition and l.version = r.version
left join usual u on u.definition = r.definition
where r.ended_at is null and r.part_of is null
    and now() > r.started_at + coalesce(l.seconds, u.seconds) * interval '1 second'
order by r.started_at
limit $6

-- name: unchanged
select workflow_id, execution
from saga.runs
where ended_at is null and status <> 'waiting' and changed_at < now() - $1::interval
order by changed_at
limit $2
