-- Events on their way out, written with their effect. A relay publishes them in order of a shard and removes them once they are confirmed.
create table saga.outbox (
    id bigint generated always as identity primary key,
    event_id text not null,
    shard smallint not null,
    envelope json not null,
    priority smallint not null default 0,
    written_at timestamptz not null default now(),
    tries integer not null default 0,
    parked text
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
create index on saga.outbox (shard, id) where parked is null;
create index on saga.outbox (id) where parked is not null;
