-- Which content each version of a definition was deployed with: a deployed version never changes.
create table saga.deployments (
    definition text not null,
    version text not null,
    digest text not null,
    deployed_at timestamptz not null default now(),
    primary key (definition, version)
);

-- Keys of steps that were compensated. A late attempt of such a step (its worker was thought dead) must not take effect afterwards.
create table saga.undone (
    idempotency_key text primary key,
    undone_at timestamptz not null default now()
);
