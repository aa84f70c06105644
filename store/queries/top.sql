-- What operators look at: how much comes, how far behind it is, what waits, who is alive.

-- name: figures
-- What was restored from the archive, or given up long ago, is no lag.
select
    (select min(seen_at) from saga.seen_events
      where not handled and seen_at > now() - interval '2 days') as unhandled_since,
    (select count(*) from saga.dead_letters where state = 'open') as dead_letters,
    (select count(*) from saga.outbox where parked is null) as outbox,
    (select count(*) from saga.outbox where parked is not null) as parked,
    (select min(written_at) from saga.outbox where parked is null) as outbox_since,
    (select count(*) from saga.held_events) as held,
    (select count(*) from saga.delayed_events) as delayed,
    (select count(*) from saga.bridges where seen_at > now() - $1::interval) as bridges,
    now() as read_at

-- name: rates
-- The outcome is null while an event is under way.
select event_type, outcome, count(*) as events
from saga.events
where day >= (now() at time zone 'utc')::date - 1 and recorded_at > now() - $1::interval
group by event_type, outcome
order by event_type, outcome
