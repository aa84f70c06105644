-- Replays of events from the log, with how far each is, so that one that was stopped can go on.
-- A replay has the events that were committed when it began (those of transactions before `horizon`): the set is fixed,
-- so one that goes on skips nothing and takes in nothing that it published itself.
create table saga.replays (
    id uuid primary key,
    criteria jsonb not null,
    state text not null default 'running' check (state in ('running', 'finished')),
    horizon xid8 not null,
    -- The event that was reached: its day, and its place in the day.
    day date,
    xact xid8 not null default '0',
    position bigint not null default 0,
    total bigint not null,
    passed bigint not null default 0,
    published bigint not null default 0,
    refused bigint not null default 0,
    begun_at timestamptz not null default now(),
    changed_at timestamptz not null default now()
);
