Messages that wait for a run.

-- name: add
insert into saga.held_events
    (request_id, target, definition, trigger, event_id, message, envelope, matched, expires_at, next_try_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, least($9, clock_timestamp() + $10))
on conflict (request_id) do nothing

-- name: waits
select exists (select from saga.held_events where target = $1) as found

-- name: holds
select exists (select from saga.held_events where request_id = $1) as found

-- name: count
select count(*) as held from saga.held_events

-- name: due
select target from saga.held_events as head
where next_try_at <= clock_timestamp()
    and not exists (
        select from saga.held_events as earlier
        where earlier.target = head.target and earlier.sequence < head.sequence
    )
order by next_try_at
limit 1
for update skip locked

-- name: head
select target from saga.held_events as head
where target = $1
    and not exists (
        select from saga.held_events as earlier
        where earlier.target = head.target and earlier.sequence < head.sequence
    )
for update

-- name: of_target
select request_id, definition, trigger, message, envelope, matched, expires_at,
    expires_at <= clock_timestamp() as is_over
from saga.held_events
where target = $1
order by sequence
limit $2

-- name: confirm
select 1 as ours

-- name: delete
delete from saga.held_events where request_id = $1

-- name: match
update saga.held_events set matched = $2, next_try_at = clock_timestamp() where request_id = $1

-- name: postpone
update saga.held_events as head
set tries = tries + 1,
    next_try_at = greatest(
        clock_timestamp() + interval '1 second',
        least(
            clock_timestamp() + make_interval(secs => least(30, power(2, least(tries, 5)))),
            (select min(expires_at) from saga.held_events as any_of where any_of.target = head.target)
        )
    )
where request_id = $1
