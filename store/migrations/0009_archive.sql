-- Days of the event log that were archived: where, how much, and with which checksums.
create table saga.archived_days (
    day date primary key,
    location text not null,
    events bigint not null,
    bytes bigint not null,
    manifest jsonb not null,
    archived_at timestamptz not null default now(),
    restored_at timestamptz
);

-- The partitions of the log by day. Functions below, because the name of a partition cannot be a parameter.
create view saga.event_days as
select
    (regexp_match(pg_get_expr(partition.relpartbound, partition.oid), 'FROM \(''(\d{4}-\d\d-\d\d)''\)'))[1]::date as day,
    partition.oid::regclass as partition
from pg_inherits join pg_class partition on partition.oid = pg_inherits.inhrelid
where pg_inherits.inhparent = 'saga.events'::regclass;

-- Keeps writers out of a day, but not readers, until the transaction ends.
create function saga.freeze_day(wanted date) returns void language plpgsql as $$
declare
    found_day saga.event_days;
begin
    for found_day in select * from saga.event_days where event_days.day = wanted loop
        execute format('lock table %s in share row exclusive mode', found_day.partition);
    end loop;
end $$;

-- Without statistics the server would sort the day for each page that is read of it.
create function saga.analyze_day(wanted date) returns void language plpgsql as $$
declare
    found_day saga.event_days;
begin
    for found_day in select * from saga.event_days where event_days.day = wanted loop
        execute format('analyze %s', found_day.partition);
    end loop;
end $$;

create function saga.drop_day(wanted date) returns void language plpgsql as $$
declare
    found_day saga.event_days;
begin
    for found_day in select * from saga.event_days where event_days.day = wanted loop
        execute format('drop table %s', found_day.partition);
    end loop;
end $$;

-- Makes the table `saga.restored_events`, which must hold nothing but this day, the partition of the day.
create function saga.attach_day(wanted date) returns void language plpgsql as $$
declare
    name text := 'events_' || to_char(wanted, 'YYYYMMDD');
begin
    execute format('alter table saga.restored_events rename to %I', name);
    execute format('alter table saga.events attach partition saga.%I for values from (%L) to (%L)', name, wanted, wanted + 1);
end $$;
