-- Views for reports, ours (`saga report`) and those of other tools. What each column means stands with it
-- (`\d+ saga.step_times` in psql), so that nobody has to read our code to draw a chart.

create view saga.run_outcomes as
select
    r.id as run_id,
    r.workflow_id,
    r.definition,
    r.version,
    r.key,
    r.part_of,
    r.status,
    r.ended_at is not null as ended,
    r.status in ('completed', 'recovered') as succeeded,
    r.started_at,
    r.ended_at,
    date_part('epoch', r.ended_at - r.started_at) as duration_seconds,
    r.problem_type,
    r.problem_title,
    r.undone,
    r.left_over,
    r.actions
from saga.runs r;

comment on view saga.run_outcomes is
    'One row a run: how it ended and how long it took. Leave out rows with part_of to count what was asked for.';
comment on column saga.run_outcomes.run_id is 'Run id of the first execution; the same through continue-as-new.';
comment on column saga.run_outcomes.workflow_id is 'Temporal''s workflow id, <definition>/<key>.';
comment on column saga.run_outcomes.definition is 'Id of the definition.';
comment on column saga.run_outcomes.version is 'Version of the definition that the run is pinned to.';
comment on column saga.run_outcomes.key is 'What the run is about, such as an order''s id.';
comment on column saga.run_outcomes.part_of is
    'Run of which this one works off a slice of a foreach; null for a run that somebody asked for.';
comment on column saga.run_outcomes.status is 'How it stands, as in the search attribute SagaStatus.';
comment on column saga.run_outcomes.ended is 'Whether it is over. The success rate counts these only.';
comment on column saga.run_outcomes.succeeded is
    'Whether it did what it was for, on its main path (completed) or by an error path (recovered).';
comment on column saga.run_outcomes.started_at is 'When it began.';
comment on column saga.run_outcomes.ended_at is 'When it ended; null while it is open.';
comment on column saga.run_outcomes.duration_seconds is 'From its beginning to its end, waiting included; null while open.';
comment on column saga.run_outcomes.problem_type is 'Type of the problem that it ended with, or that it recovered from.';
comment on column saga.run_outcomes.problem_title is 'The problem in a sentence.';
comment on column saga.run_outcomes.undone is 'Compensations that were carried out.';
comment on column saga.run_outcomes.left_over is 'Compensations that failed for good: people must look.';
comment on column saga.run_outcomes.actions is
    'Temporal actions that the run asked for; retried attempts are not among them, see saga.step_times.retries.';

create view saga.step_times as
select
    r.definition,
    r.version,
    s.run_id,
    r.workflow_id,
    r.started_at as run_started_at,
    s.path,
    s.step,
    s.kind,
    s.action,
    s.status,
    s.kind = 'compensation' as is_compensation,
    s.kind in ('decision', 'parallel', 'foreach', 'repeat', 'try') as is_block,
    s.started_at,
    s.ended_at,
    date_part('epoch', s.ended_at - s.started_at) as total_seconds,
    case when s.kind not in ('approval', 'receive', 'wait', 'decision', 'parallel', 'foreach', 'repeat', 'try')
        and a.attempts = 1 then greatest(date_part('epoch', a.started_at - a.scheduled_at), 0) else 0 end
        as queueing_seconds,
    case
        when s.kind in ('approval', 'receive', 'wait', 'decision', 'parallel', 'foreach', 'repeat', 'try') then 0
        when a.attempts is null then date_part('epoch', s.ended_at - s.started_at)
        else greatest(date_part('epoch', a.ended_at - a.started_at), 0)
    end as running_seconds,
    case when s.kind not in ('approval', 'receive', 'wait', 'decision', 'parallel', 'foreach', 'repeat', 'try')
        and a.attempts > 1 then greatest(date_part('epoch', a.started_at - a.scheduled_at), 0) else 0 end
        as retrying_seconds,
    case when s.kind = 'approval' then date_part('epoch', s.ended_at - s.started_at) else 0 end as people_seconds,
    case when s.kind in ('receive', 'wait') then date_part('epoch', s.ended_at - s.started_at) else 0 end
        as events_seconds,
    greatest(a.attempts - 1, 0) as retries,
    s.problem_type
from saga.steps s
join saga.runs r on r.id = s.run_id
left join saga.attempts a on a.run_id = s.run_id and a.path = s.path;

comment on view saga.step_times is
    'One row a step of a run: where its time went. What the parts leave of total_seconds is hand-over: the way between the engine, Temporal and the workers.';
comment on column saga.step_times.definition is 'Id of the definition.';
comment on column saga.step_times.version is 'Version of the definition that the run is pinned to.';
comment on column saga.step_times.run_id is 'As saga.run_outcomes.run_id.';
comment on column saga.step_times.workflow_id is 'Temporal''s workflow id, <definition>/<key>.';
comment on column saga.step_times.run_started_at is 'When the run began: narrow a report by this column.';
comment on column saga.step_times.path is 'Which step of the run, such as pack[3]/weigh for the fourth item, or charge/compensate.';
comment on column saga.step_times.step is 'Id of the step in the definition: the same for all items and rounds. Group by it.';
comment on column saga.step_times.kind is 'What the step is: action, approval, receive, wait, workflow, ... or compensation.';
comment on column saga.step_times.action is 'The action that it carries out; null where it carries out none.';
comment on column saga.step_times.status is 'How it stands or ended.';
comment on column saga.step_times.is_compensation is 'Whether it undoes a step.';
comment on column saga.step_times.is_block is
    'Whether it holds other steps (decision, parallel, foreach, repeat, try): its time is theirs, so it has no parts of its own.';
comment on column saga.step_times.started_at is 'When the run entered it.';
comment on column saga.step_times.ended_at is 'When the run went on; null while it is open, and the times are null too.';
comment on column saga.step_times.total_seconds is 'From entering to going on.';
comment on column saga.step_times.queueing_seconds is
    'Until a worker took it from the task queue; 0 where it was retried, because it is then part of retrying_seconds.';
comment on column saga.step_times.running_seconds is
    'Length of the last attempt. Without a record of attempts (a child run, an assignment) the whole step.';
comment on column saga.step_times.retrying_seconds is
    'From its first place in the queue to the beginning of its last attempt, where there were several: earlier attempts and the pauses between them.';
comment on column saga.step_times.people_seconds is 'Waiting for people to decide an approval.';
comment on column saga.step_times.events_seconds is 'Waiting for an event, a signal or a timer.';
comment on column saga.step_times.retries is 'Attempts after the first; each is a Temporal action.';
comment on column saga.step_times.problem_type is 'Type of the problem that it failed with.';

-- The few among many that a report looks for one by one.
create index steps_failed on saga.steps (run_id) where status in ('failed', 'timed-out', 'rejected');
