Signs of life of the bridges.

-- name: beat
insert into saga.bridges (id, host, pid, in_line, state) values ($1, $2, $3, $4, $5)
on conflict (id) do update set seen_at = now(), in_line = excluded.in_line, state = excluded.state

-- name: alive
select id, host, pid, started_at, seen_at, in_line, state from saga.bridges
where seen_at > now() - $1::interval order by id

-- name: forget
delete from saga.bridges where id = $1

-- name: bury
delete from saga.bridges where seen_at < now() - interval '1 day'
