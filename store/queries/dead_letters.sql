Dead letters.

-- name: add
insert into saga.dead_letters (
    letter_id, event_id, event_type, exchange, routing_key, code, reason, fingerprint, attempts, first_at, last_at,
    headers, properties, content_type, body
)
select
    letter_id, event_id, event_type, exchange, routing_key, code, reason, fingerprint, attempts, first_at, last_at,
    headers::jsonb, properties::jsonb, content_type, body
from unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::integer[],
    $10::timestamptz[], $11::timestamptz[], $12::text[], $13::text[], $14::text[], $15::bytea[]
) with ordinality as letters (
    letter_id, event_id, event_type, exchange, routing_key, code, reason, fingerprint, attempts, first_at, last_at,
    headers, properties, content_type, body, place
)
order by place
on conflict (letter_id) do update set
    -- It came once more after somebody had dealt with it: it is open again. A mere redelivery is older than that.
    state = 'open', changed_at = now(), code = excluded.code, reason = excluded.reason,
    fingerprint = excluded.fingerprint, attempts = excluded.attempts, last_at = excluded.last_at,
    headers = excluded.headers, properties = excluded.properties, body = excluded.body
    where dead_letters.state <> 'open' and excluded.last_at > dead_letters.changed_at
returning letter_id

-- name: groups
with groups as (
    select
        state, code, fingerprint, count(*) as letters, min(first_at) as first_at, max(last_at) as last_at,
        max(id) as example
    from saga.dead_letters
    where state = any($1::text[])
        and ($2::text is null or code = $2)
        and ($3::text is null or fingerprint = $3)
    group by state, code, fingerprint
    order by letters desc, code, fingerprint, state
    limit $4
)
select groups.*, latest.reason
from groups join saga.dead_letters as latest on latest.id = groups.example
order by letters desc, code, fingerprint, state

-- name: page
select
    id, letter_id, event_id, event_type, exchange, routing_key, code, reason, fingerprint, attempts, first_at,
    last_at, headers, properties, content_type, body, original_body is not null as edited, state, changed_at, outcome
from (
    select chosen.*, sum(length(body)) over (order by id) - length(body) as bytes_before
    from (
        select * from saga.dead_letters
        where state = any($7::text[])
            and id > $1
            and ($2::bigint is null or id <= $2)
            and ($3::text is null or code = $3)
            and ($4::text is null or fingerprint = $4)
        order by id
        limit $5
    ) as chosen
) as sized
where bytes_before < $6
order by id

-- name: open_page
-- The same for open ones, which an index has in this order.
select
    id, letter_id, event_id, event_type, exchange, routing_key, code, reason, fingerprint, attempts, first_at,
    last_at, headers, properties, content_type, body, original_body is not null as edited, state, changed_at, outcome
from (
    select chosen.*, sum(length(body)) over (order by id) - length(body) as bytes_before
    from (
        select * from saga.dead_letters
        where state = 'open'
            and id > $1
            and ($2::bigint is null or id <= $2)
            and ($3::text is null or code = $3)
            and ($4::text is null or fingerprint = $4)
        order by id
        limit $5
    ) as chosen
) as sized
where bytes_before < $6
order by id

-- name: get
select
    id, letter_id, event_id, event_type, exchange, routing_key, code, reason, fingerprint, attempts, first_at,
    last_at, headers, properties, content_type, body, original_body is not null as edited, state, changed_at, outcome
from saga.dead_letters where id = $1

-- name: of_ids
select
    id, letter_id, event_id, event_type, exchange, routing_key, code, reason, fingerprint, attempts, first_at,
    last_at, headers, properties, content_type, body, original_body is not null as edited, state, changed_at, outcome
from unnest($1::bigint[]) with ordinality as wanted (wanted_id, place)
join saga.dead_letters on dead_letters.id = wanted_id
order by place

-- name: states
select id, state from saga.dead_letters where id = any($1::bigint[])

-- name: last
select coalesce(max(id), 0) as id from saga.dead_letters

-- name: count
select count(*) as letters
from saga.dead_letters
where state = any($1::text[])
    and ($2::text is null or code = $2)
    and ($3::text is null or fingerprint = $3)

-- name: set_state
update saga.dead_letters set state = $2, changed_at = now()
where id = any($1::bigint[]) and state <> $2

-- name: close
update saga.dead_letters set
    state = 'retried', changed_at = now(), retry = $2,
    -- The bridge may have been quicker.
    outcome = case when retry = $2 then outcome end
where id = any($1::bigint[])

-- name: drop_open
with chosen as (
    select id from saga.dead_letters
    where state = 'open'
        and id > $3 and id <= $4
        and ($1::text is null or code = $1)
        and ($2::text is null or fingerprint = $2)
    order by id
    limit $5
)
update saga.dead_letters set state = 'dropped', changed_at = now()
from chosen where dead_letters.id = chosen.id and dead_letters.state = 'open'
returning dead_letters.id

-- name: note
update saga.dead_letters set outcome = batch.outcome, retry = batch.retry
from unnest($1::bigint[], $2::uuid[], $3::text[]) as batch (id, retry, outcome)
where dead_letters.id = batch.id
    -- What came again after a crash finds everything done; what it did the first time is what is of interest.
    and (dead_letters.retry is distinct from batch.retry or dead_letters.outcome is null)

-- name: edit
update saga.dead_letters set
    original_body = coalesce(original_body, body), body = $2, state = 'open', changed_at = now()
where id = $1

-- name: purge
delete from saga.dead_letters where id in (
    select id from saga.dead_letters where last_at < now() - $1::interval limit $2
)

-- name: counts
select code, state, count(*) as letters from saga.dead_letters group by code, state
