-- Messages that came before the run that they are for, until it is there or their time is over.
-- `target` is the workflow id, or definition and fields of a correlation; those of one target go in order of `sequence`.
-- `matched` are the runs that a correlated message was found to be for, while they are being signalled.
create table saga.held_events (
    request_id text primary key,
    sequence bigint generated always as identity,
    target text not null,
    definition text not null,
    trigger integer not null,
    event_id text not null,
    message json not null,
    envelope json not null,
    matched text[] not null default '{}',
    held_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    next_try_at timestamptz not null,
    tries integer not null default 0
);
create index on saga.held_events (next_try_at);
create index on saga.held_events (target, sequence);
