What `saga report` reads. Arguments of all: since, definition or null, versions or null. Times are seconds.

-- name: snapshot
-- All figures are of one moment.
set transaction isolation level repeatable read, read only

-- name: settings
-- One report may use the memory and the processors that it needs: it joins whole tables, and runs seldom.
select
    set_config('work_mem', '256MB', true),
    set_config('hash_mem_multiplier', '1', true),
    set_config('plan_cache_mode', 'force_custom_plan', true)

-- name: known
select definition, version, count(*) as runs, max(started_at) as latest_at
from saga.runs
where part_of is null
group by definition, version

-- name: outcomes
select definition, version, status, ended, succeeded, count(*) as runs
from saga.run_outcomes
where part_of is null
  and started_at >= $1 and ($2::text is null or definition = $2) and ($3::text[] is null or version = any($3))
group by definition, version, status, ended, succeeded

-- name: actions
-- What slices of a foreach used belongs to the run that they work for.
select definition, version, sum(actions)::bigint as actions
from saga.run_outcomes
where started_at >= $1 and ($2::text is null or definition = $2) and ($3::text[] is null or version = any($3))
group by definition, version

-- name: durations
select
    definition,
    version,
    count(*) as runs,
    avg(duration_seconds) as mean,
    coalesce(stddev_samp(duration_seconds), 0) as deviation,
    percentile_cont(array[0.5, 0.95, 0.99]) within group (order by duration_seconds) as percentiles
from saga.run_outcomes
where part_of is null and ended
  and started_at >= $1 and ($2::text is null or definition = $2) and ($3::text[] is null or version = any($3))
group by definition, version

-- name: histogram
-- $4 buckets to a factor of ten, counted from one second; what is shorter than a millisecond counts as one.
select
    definition,
    version,
    floor(log(greatest(duration_seconds, 0.001)) * $4::integer)::integer as bucket,
    count(*) as runs
from saga.run_outcomes
where part_of is null and ended
  and started_at >= $1 and ($2::text is null or definition = $2) and ($3::text[] is null or version = any($3))
group by definition, version, bucket
order by definition, version, bucket

-- name: steps
-- The view saga.step_times says the same of one step at a time. Grouped by what its cases depend on, plain times will
-- do, which takes half as long; mean and variance of one argument are one computation.
select
    r.definition,
    r.version,
    s.step,
    s.kind,
    a.attempts,
    count(*) as entered,
    count(s.ended_at) as ended,
    avg(date_part('epoch', s.ended_at - s.started_at)) as mean,
    var_pop(date_part('epoch', s.ended_at - s.started_at)) as variance,
    max(s.ended_at - s.started_at) as longest,
    sum(date_part('epoch', a.started_at - a.scheduled_at)) filter (where s.ended_at is not null) as until_started,
    sum(date_part('epoch', a.ended_at - a.started_at)) filter (where s.ended_at is not null) as running
from saga.steps s
join saga.runs r on r.id = s.run_id
left join saga.attempts a on a.run_id = s.run_id and a.path = s.path
where s.status <> 'skipped'
  and r.started_at >= $1 and ($2::text is null or r.definition = $2) and ($3::text[] is null or r.version = any($3))
group by r.definition, r.version, s.step, s.kind, a.attempts

-- name: failures
-- A block fails because of what is in it: it is listed only where nothing in it failed. A run can fail without any
-- step, such as by its input or its time-out; its step is null then.
with failed as materialized (
    select
        r.definition, r.version, r.id, r.workflow_id, r.started_at, s.step, s.kind,
        coalesce(s.problem_type, s.status) as problem_type, s.detail,
        s.kind in ('decision', 'parallel', 'foreach', 'repeat', 'try') as is_block,
        count(*) filter (where s.kind not in ('decision', 'parallel', 'foreach', 'repeat', 'try'))
            over (partition by s.run_id) as others
    from saga.steps s
    join saga.runs r on r.id = s.run_id
    where s.status in ('failed', 'timed-out', 'rejected')
      and r.started_at >= $1 and ($2::text is null or r.definition = $2) and ($3::text[] is null or r.version = any($3))
),
listed as (
    select definition, version, id, workflow_id, started_at, step, kind = 'compensation' as is_compensation,
           problem_type, detail
    from failed
    where not is_block or others = 0
    union all
    select r.definition, r.version, r.id, r.workflow_id, r.started_at, null, false, r.problem_type, r.problem_detail
    from saga.runs r
    where r.ended_at is not null and r.problem_type is not null and r.status not in ('completed', 'recovered')
      and r.started_at >= $1 and ($2::text is null or r.definition = $2) and ($3::text[] is null or r.version = any($3))
      and r.id not in (select id from failed)
)
select
    definition,
    version,
    step,
    is_compensation,
    problem_type,
    count(*) as failures,
    count(distinct id) as runs,
    (array_agg(workflow_id order by started_at desc, id))[1] as example,
    (array_agg(id order by started_at desc, id))[1] as example_run,
    coalesce((array_agg(detail order by started_at desc, id))[1], '') as detail
from listed
group by definition, version, step, is_compensation, problem_type
order by failures desc, step, problem_type

-- name: latest
-- The steps of the latest $4 ended runs of each version, with times from the run's beginning. A run with thousands of
-- steps counts for many: $5 events in all, the first run in any case.
select v.definition, v.version, r.id, r.duration, s.path, s.step, s.kind,
       date_part('epoch', s.started_at - r.started_at) as began,
       date_part('epoch', s.ended_at - r.started_at) as ended
from unnest($2::text[], $3::text[]) as v (definition, version)
cross join lateral (
    select id, started_at, date_part('epoch', ended_at - started_at) as duration,
           sum(sequence) over (order by started_at desc, id) - sequence as events_before
    from (
        select id, started_at, ended_at, sequence
        from saga.runs
        where definition = v.definition and version = v.version and started_at >= $1
          and ended_at is not null and part_of is null
        order by started_at desc, id
        limit $4
    ) as newest
) as r
join saga.steps s on s.run_id = r.id
where r.events_before < $5 and s.ended_at is not null and s.status <> 'skipped'
order by v.definition, v.version, r.id, s.ended_at, s.position
