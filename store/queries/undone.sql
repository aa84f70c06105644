Keys of steps that were compensated.

-- name: mark
insert into saga.undone (idempotency_key) values ($1) on conflict do nothing

-- name: find
select 1 as found from saga.undone where idempotency_key = $1
