-- Rollouts that an operator set; each counts instead of the one in the version's file.
create table saga.rollouts (
    definition text not null,
    version text not null,
    percent double precision not null check (percent between 0 and 100),
    changed_at timestamptz not null default now(),
    changed_by text not null,
    primary key (definition, version)
);
