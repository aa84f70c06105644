-- The event log. `events` holds each event once, with what became of it, in a partition a day (UTC); old days are archived and dropped.
create sequence saga.event_positions;

create table saga.events (
    day date not null,
    event_id text not null,
    position bigint not null default nextval('saga.event_positions'),
    -- Readers that follow the log read below the oldest transaction still open, or they would skip what commits late.
    xact xid8 not null default pg_current_xact_id(),
    event_type text not null,
    event_version text not null,
    source text not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    correlation_id text not null,
    group_key text,
    priority smallint not null default 0,
    -- Not jsonb, which refuses the character NUL that JSON allows.
    envelope json not null,
    outcome text,
    reason text,
    effects jsonb,
    handled_at timestamptz,
    primary key (event_id, day)
) partition by range (day);
create index on saga.events (xact, position);
create index on saga.events using brin (recorded_at);

-- Ids within the window of deduplication. Apart from the log, because an id must be unique over days.
create table saga.seen_events (
    event_id text primary key,
    digest bytea not null,
    day date not null,
    seen_at timestamptz not null default clock_timestamp(),
    handled boolean not null default false
);
create index on saga.seen_events using brin (seen_at);
-- Small: what is in hand now. The age of the oldest is how far the bridges are behind.
create index on saga.seen_events (seen_at) where not handled;

-- Events that wait in a delay queue for their next try. Later events with the same key must not overtake them, and those before them need not wait.
create table saga.delayed_events (
    event_id text primary key,
    group_key text not null,
    position bigint not null,
    due_at timestamptz not null
);
create index on saga.delayed_events (group_key);

-- Makes the partitions of today and of the days ahead: `saga.events_20300131`. A table is attached rather than created as a partition, because
-- that leaves the log open to readers and writers meanwhile.
create function saga.ensure_days(ahead integer) returns setof date language plpgsql as $$
declare
    today constant date := (now() at time zone 'utc')::date;
    missing date;
    name text;
begin
    for missing in
        select today + offset_days from generate_series(0, ahead) as offset_days
        where to_regclass('saga.events_' || to_char(today + offset_days, 'YYYYMMDD')) is null
    loop
        perform pg_advisory_xact_lock(hashtextextended('saga.ensure_days', 0));
        name := 'events_' || to_char(missing, 'YYYYMMDD');
        -- Asked of the table itself: what another process committed while we waited for the lock is not in the cache yet.
        continue when exists (select from pg_class where relname = name and relnamespace = 'saga'::regnamespace);
        execute format('create table saga.%I (like saga.events including defaults including constraints)', name);
        execute format('alter table saga.events attach partition saga.%I for values from (%L) to (%L)', name, missing, missing + 1);
        return next missing;
    end loop;
end;
$$;
