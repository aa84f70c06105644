-- The bridges that are alive, by their sign of life: they share the partitions among them.
create table saga.bridges (
    id uuid primary key,
    host text not null,
    pid integer not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    -- Whether it is subscribed to all queues: only then it can be given its share.
    in_line boolean not null default false,
    state jsonb not null default '{}'
);
