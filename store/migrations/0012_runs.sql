-- The projection of Temporal's histories: what every run did, step by step. It can always be made again (`saga rebuild`),
-- so nothing in it is written from a clock of ours: every time is the workflow's or the server's. The tables name each
-- other's rows but do not check them: rows come in any order, and the check would cost as much as the row itself.

create table saga.runs (
    id text primary key,                -- run id of the workflow's first execution; the same through continue-as-new
    execution text not null,            -- run id of the latest execution
    workflow_id text not null,
    definition text not null,
    version text not null,
    digest text not null,
    key text not null,
    correlation_id text,
    part_of text,                       -- id of the run of which this one works off a slice
    status text not null,               -- as in the search attribute SagaStatus
    sequence integer not null,          -- number of the latest event
    started_at timestamptz not null,
    changed_at timestamptz not null,
    ended_at timestamptz,
    problem_type text,
    problem_title text,
    problem_detail text,
    problem_step text,                  -- JSON pointer of the step, as in the problem's `instance`
    undone integer not null default 0,  -- compensations that were carried out
    left_over integer not null default 0, -- compensations that failed for good
    actions integer not null default 0, -- Temporal actions that it asked for: starts, timers, activities, upserts, signals
    written integer not null default 0  -- rows in saga.snapshots; fewer than `sequence` = some are missing
);

create index runs_by_definition on saga.runs (definition, version, started_at);
create index runs_by_start on saga.runs (started_at);
create index runs_by_workflow on saga.runs (workflow_id, started_at);
create index runs_open on saga.runs (status, changed_at) where ended_at is null;
create index runs_ended on saga.runs (ended_at) where ended_at is not null;
create index runs_with_gaps on saga.runs (changed_at) where written <> sequence;

create table saga.steps (
    run_id text not null,
    path text not null,                 -- such as `pack[3]/weigh`, or `charge/compensate`
    step text not null,                 -- id of the step in the definition
    kind text not null,                 -- action, approval, receive, wait, workflow, decision, parallel, ... or compensation
    action text,
    status text not null,               -- running, waiting, completed, failed, skipped, cancelled, rejected, timed-out
    position integer not null,          -- number of the event that opened it
    sequence integer not null,          -- number of the event that changed it last
    started_at timestamptz not null,
    ended_at timestamptz,
    problem_type text,
    detail text,
    primary key (run_id, path)
);

-- How the last attempt of an activity went, from the server's clock: queueing, running and retrying are told apart here.
create table saga.attempts (
    run_id text not null,               -- as saga.runs.id; written by whichever worker runs the activity, in any order
    path text not null,
    attempts integer not null default 0, -- 0: no worker has taken it
    scheduled_at timestamptz,           -- the first attempt was put in the queue
    started_at timestamptz,             -- the last attempt was taken from the queue
    ended_at timestamptz,               -- the run took the answer
    primary key (run_id, path)
);

create table saga.snapshots (
    run_id text not null,
    sequence integer not null,
    execution text not null,
    at timestamptz not null,
    actions integer not null,           -- Temporal actions that it stands for
    event jsonb not null,               -- the change: what happened
    state jsonb,                        -- the whole state after it, every so often
    primary key (run_id, sequence)
);

create table saga.approvals (
    run_id text not null,
    path text not null,
    step text not null,
    title text not null,
    approvers jsonb,
    since timestamptz not null,
    due timestamptz,
    decided_at timestamptz,
    outcome text,                       -- completed, rejected, timed-out, cancelled
    decisions jsonb not null default '[]',
    sequence integer not null,          -- number of the event that changed it last
    primary key (run_id, path)
);

create index approvals_waiting on saga.approvals (since) where decided_at is null;

-- Processes that write here. One whose row is here without a sign of life was killed, with rows that were not written.
create table saga.writers (
    id uuid primary key,
    seen_at timestamptz not null default clock_timestamp()
);
