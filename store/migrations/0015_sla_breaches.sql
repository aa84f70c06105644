-- Runs that took longer than their definition allows, so that each is told once. No foreign key: a projection that is made
-- again from the histories must not have them told again.
create table saga.sla_breaches (
    run_id text primary key,
    definition text not null,
    version text not null,
    found_at timestamptz not null default now()
);
create index on saga.sla_breaches (found_at);
