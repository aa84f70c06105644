-- The reference domain: agents with a knowledge base and a pattern store.
create table saga.cognitive_patterns (
    name text primary key,
    description text not null
);

insert into saga.cognitive_patterns (name, description) values
    ('convergent', 'Narrows many facts down to one answer.'),
    ('divergent', 'Finds many answers to one question.'),
    ('lateral', 'Comes at a problem from an unexpected side.'),
    ('systems', 'Looks at the whole and how its parts act on each other.'),
    ('critical', 'Weighs claims and looks for their weak points.'),
    ('abstract', 'Looks for the rule behind the cases.'),
    ('adaptive', 'Changes its way of thinking with the task.');

create table saga.agents (
    agent_id text primary key,
    name text not null,
    type text not null,
    cognitive_pattern text not null,
    created_by text,
    run_id text not null,
    idempotency_key text not null unique,
    created_at timestamptz not null default now()
);
create index agents_by_run on saga.agents (run_id);

create table saga.knowledge_bases (
    agent_id text primary key references saga.agents on delete cascade,
    domain text not null,
    idempotency_key text not null,
    created_at timestamptz not null default now()
);

create table saga.pattern_stores (
    agent_id text primary key references saga.agents on delete cascade,
    cognitive_pattern text not null references saga.cognitive_patterns,
    idempotency_key text not null,
    created_at timestamptz not null default now()
);

create table saga.notifications (
    event_id uuid primary key,
    agent_id text not null references saga.agents on delete cascade,
    sent_at timestamptz not null default now()
);
create index notifications_by_agent on saga.notifications (agent_id);
