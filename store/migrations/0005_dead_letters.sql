-- What could not be handled, as it was, with the reason. `letter_id` is fixed by the message, so that a letter that is stored twice is one row.
create table saga.dead_letters (
    id bigint generated always as identity primary key,
    letter_id text not null unique,
    event_id text,
    event_type text,
    exchange text not null,
    routing_key text not null,
    code text not null,
    reason text not null,
    -- The same for reasons that differ only in ids and numbers.
    fingerprint text not null,
    attempts integer not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    headers jsonb not null,
    properties jsonb not null default '{}',
    content_type text,
    body bytea not null,
    -- The body as it came, once an operator has changed it.
    original_body bytea,
    state text not null default 'open' check (state in ('open', 'retried', 'dropped')),
    changed_at timestamptz not null default now()
);
create index on saga.dead_letters (state, code, fingerprint);
create index on saga.dead_letters (last_at);
create index on saga.dead_letters (event_id);
