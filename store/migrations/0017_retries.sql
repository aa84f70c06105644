-- Retries of dead letters: an event that says that it is one is believed only if its id is here (or in saga.replays).
create table saga.retries (
    id uuid primary key,
    begun_at timestamptz not null default now()
);

-- What became of a letter that was retried, and by which retry.
alter table saga.dead_letters add column outcome text, add column retry uuid;

-- What is open, in the order in which it came.
create index on saga.dead_letters (id) where state = 'open';
