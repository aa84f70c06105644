Reading the projection of runs: one run at one of its events.

-- name: find
select id, workflow_id, definition, version, digest, status, sequence, written, started_at, changed_at, ended_at
from saga.runs
where id = $1 or workflow_id = $1
order by id = $1 desc, started_at desc
limit 1

-- name: whole_before
select sequence, state from saga.snapshots
where run_id = $1 and sequence <= $2 and state is not null
order by sequence desc
limit 1

-- name: events_between
select sequence, event from saga.snapshots
where run_id = $1 and sequence > $2 and sequence <= $3
order by sequence

-- name: whole_numbers
select sequence from saga.snapshots where run_id = $1 and state is not null order by sequence

-- name: moves
select sequence from saga.snapshots where run_id = $1 and event ->> 'kind' = 'migrated' limit 1
