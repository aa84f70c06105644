The projection of runs. What is written is copied into staging tables of the connection first, one row for each key.

-- name: stage
create temporary table if not exists staged_runs (like saga.runs) on commit delete rows;
alter table staged_runs drop column if exists actions, drop column if exists written;
create temporary table if not exists staged_steps (like saga.steps) on commit delete rows;
create temporary table if not exists staged_snapshots (
    run_id text, sequence integer, execution text, at timestamptz, actions integer, event text, state text
) on commit delete rows;
create temporary table if not exists staged_approvals (
    run_id text, path text, step text, title text, approvers text, since timestamptz, due timestamptz,
    decided_at timestamptz, outcome text, decisions text, sequence integer
) on commit delete rows;
create temporary table if not exists staged_attempts (
    run_id text, path text, attempts integer, scheduled_at timestamptz, started_at timestamptz
) on commit delete rows;
create temporary table if not exists staged_answers (
    run_id text, path text, ended_at timestamptz
) on commit delete rows

-- name: is_staged
select to_regclass('pg_temp.staged_answers') is not null as found

-- name: lock_runs
select id, execution, sequence, changed_at, changed_at > clock_timestamp() - $2::interval as is_fresh
from saga.runs where id = any ($1::text[]) order by id for update

-- name: forget_snapshots
delete from saga.snapshots as old
using unnest($1::text[], $2::integer[]) as run (id, sequence)
where old.run_id = run.id and old.sequence <= run.sequence

-- name: forget_steps
delete from saga.steps as old
using unnest($1::text[], $2::integer[]) as run (id, sequence)
where old.run_id = run.id and old.sequence <= run.sequence

-- name: forget_approvals
delete from saga.approvals as old
using unnest($1::text[], $2::integer[]) as run (id, sequence)
where old.run_id = run.id and old.sequence <= run.sequence

-- name: forget_attempts
delete from saga.attempts as old
using unnest($1::text[], $2::timestamptz[]) as run (id, moment)
where old.run_id = run.id and (old.scheduled_at is null or old.scheduled_at <= run.moment)
    and not exists (select from saga.steps as step where step.run_id = old.run_id and step.path = old.path)

-- name: forget_runs
delete from saga.runs as old
using unnest($1::text[], $2::integer[]) as run (id, sequence)
where old.id = run.id and old.sequence <= run.sequence

-- name: write_runs
insert into saga.runs as run (
    id, execution, workflow_id, definition, version, digest, key, correlation_id, part_of, status, sequence,
    started_at, changed_at, ended_at, problem_type, problem_title, problem_detail, problem_step, undone, left_over
)
select
    id, execution, workflow_id, definition, version, digest, key, correlation_id, part_of, status, sequence,
    started_at, changed_at, ended_at, problem_type, problem_title, problem_detail, problem_step, undone, left_over
from staged_runs
order by id
on conflict (id) do update set
    execution = excluded.execution,
    key = excluded.key,
    status = excluded.status,
    sequence = excluded.sequence,
    changed_at = excluded.changed_at,
    ended_at = coalesce(excluded.ended_at, run.ended_at),
    problem_type = excluded.problem_type,
    problem_title = excluded.problem_title,
    problem_detail = excluded.problem_detail,
    problem_step = excluded.problem_step,
    undone = excluded.undone,
    left_over = excluded.left_over,
    -- After a reset, rows of what it took back are still there: no count will be right until the run is mended.
    written = case
        when excluded.execution <> run.execution and excluded.sequence <= run.sequence then -1000000000
        else run.written
    end
where case
    when excluded.execution = run.execution
    then (excluded.sequence, excluded.changed_at) >= (run.sequence, run.changed_at)
    else (excluded.changed_at, excluded.sequence) >= (run.changed_at, run.sequence)
end

-- name: count_snapshots
-- A number that was taken twice, by different events, is of two lives of the run of which the history knows one: rows
-- of the other are still there, under paths and numbers that nobody writes again. So the run is to be mended.
update saga.runs as run
set written = run.written + news.written, actions = run.actions + news.actions
from (
    select
        staged.run_id,
        case
            when bool_or(old.event <> staged.event::jsonb) then -1000000000
            else count(*) filter (where old.run_id is null)
        end as written,
        coalesce(sum(staged.actions - coalesce(old.actions, 0)) filter (where newer), 0) as actions
    from staged_snapshots as staged
    left join saga.snapshots as old on old.run_id = staged.run_id and old.sequence = staged.sequence
    cross join lateral (select old.run_id is null or staged.at >= old.at as newer) as order_of
    group by staged.run_id
) as news
where run.id = news.run_id and (news.written <> 0 or news.actions <> 0)

-- name: doubt
update saga.runs set written = -1000000000 where id = any ($1::text[])

-- name: recount
update saga.runs as run
set (written, actions) = (
    select count(*), coalesce(sum(actions), 0) from saga.snapshots as snapshot where snapshot.run_id = run.id
)
where run.id = any ($1::text[])

-- name: write_snapshots
insert into saga.snapshots as snapshot (run_id, sequence, execution, at, actions, event, state)
select run_id, sequence, execution, at, actions, event::jsonb, state::jsonb from staged_snapshots
order by run_id, sequence
on conflict (run_id, sequence) do update set
    execution = excluded.execution, at = excluded.at, actions = excluded.actions, event = excluded.event,
    state = excluded.state
where excluded.at >= snapshot.at

-- name: write_steps
insert into saga.steps as step (
    run_id, path, step, kind, action, status, position, sequence, started_at, ended_at, problem_type, detail
)
select run_id, path, step, kind, action, status, position, sequence, started_at, ended_at, problem_type, detail
from staged_steps
order by run_id, path
on conflict (run_id, path) do update set
    status = case when excluded.sequence >= step.sequence then excluded.status else step.status end,
    started_at = case when excluded.sequence >= step.sequence then excluded.started_at else step.started_at end,
    ended_at = case when excluded.sequence >= step.sequence then excluded.ended_at else step.ended_at end,
    problem_type = case when excluded.sequence >= step.sequence then excluded.problem_type else step.problem_type end,
    detail = case when excluded.sequence >= step.sequence then excluded.detail else step.detail end,
    sequence = greatest(excluded.sequence, step.sequence),
    position = least(excluded.position, step.position)

-- name: write_approvals
insert into saga.approvals as approval (
    run_id, path, step, title, approvers, since, due, decided_at, outcome, decisions, sequence
)
select
    run_id, path, step, title, approvers::jsonb, since, due, decided_at, outcome, decisions::jsonb, sequence
from staged_approvals
order by run_id, path
on conflict (run_id, path) do update set
    title = excluded.title, approvers = excluded.approvers, since = excluded.since, due = excluded.due,
    decided_at = excluded.decided_at, outcome = excluded.outcome, decisions = excluded.decisions,
    sequence = excluded.sequence
where excluded.sequence >= approval.sequence

-- name: write_attempts
insert into saga.attempts as attempt (run_id, path, attempts, scheduled_at, started_at)
select run_id, path, attempts, scheduled_at, started_at from staged_attempts
order by run_id, path
on conflict (run_id, path) do update set
    attempts = excluded.attempts, scheduled_at = excluded.scheduled_at, started_at = excluded.started_at
where excluded.attempts >= attempt.attempts

-- name: write_answers
insert into saga.attempts as attempt (run_id, path, ended_at)
select run_id, path, ended_at from staged_answers
order by run_id, path
on conflict (run_id, path) do update set ended_at = greatest(attempt.ended_at, excluded.ended_at)

-- name: close
update saga.runs set status = $2, ended_at = $3
where id = $1 and ended_at is null

-- name: with_gaps
select workflow_id from saga.runs
where written <> sequence and changed_at < clock_timestamp() - $1::interval
order by changed_at
limit $2

-- name: open
select id, execution, workflow_id from saga.runs
where ended_at is null and changed_at < clock_timestamp() - $1::interval and id > $2
order by id
limit $3

-- name: live
insert into saga.writers (id) values ($1)
on conflict (id) do update set seen_at = clock_timestamp()

-- name: leave
delete from saga.writers where id = any ($1::uuid[])

-- name: dead
select id, seen_at from saga.writers
where seen_at < clock_timestamp() - $1::interval
order by seen_at

-- name: purge
with old as (
    select run.id from saga.runs as run
    where run.ended_at < clock_timestamp() - $1::interval
        and run.status = any ($2::text[])
        and ($3::text is null or run.definition = $3)
        and ($4::text is null or run.version = $4)
        and not run.definition || '@' || run.version = any ($5::text[])
    order by run.ended_at
    limit $6
    for update skip locked
),
snapshots as (delete from saga.snapshots using old where run_id = old.id),
steps as (delete from saga.steps using old where run_id = old.id),
attempts as (delete from saga.attempts using old where run_id = old.id),
approvals as (delete from saga.approvals using old where run_id = old.id)
delete from saga.runs using old where runs.id = old.id
