-- Ids of webhook deliveries, so that each is accepted once however often and however concurrently it is sent.
create table saga.webhook_deliveries (
    source text not null,
    delivery_id text not null,
    digest bytea not null,
    event_id text not null,
    -- Where the id is not signed, who repeats a signed body could give it another one. So the body counts as well.
    once_by_body boolean not null,
    accepted_at timestamptz not null default now(),
    primary key (source, delivery_id)
);
create unique index on saga.webhook_deliveries (source, digest) where once_by_body;
create index on saga.webhook_deliveries (accepted_at);
