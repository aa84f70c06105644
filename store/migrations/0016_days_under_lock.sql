-- The lock comes first, whether or not a day is missing. Between the moment at which another transaction's partition can be seen and the one at
-- which its commit has told all sessions of it, an insert would still be refused here; the lock is released after both.
create or replace function saga.ensure_days(ahead integer) returns setof date language plpgsql as $$
declare
    today constant date := (now() at time zone 'utc')::date;
    missing date;
    name text;
begin
    perform pg_advisory_xact_lock(hashtextextended('saga.ensure_days', 0));
    for missing in select today + offset_days from generate_series(0, ahead) as offset_days
    loop
        name := 'events_' || to_char(missing, 'YYYYMMDD');
        continue when exists (select from pg_class where relname = name and relnamespace = 'saga'::regnamespace);
        execute format('create table saga.%I (like saga.events including defaults including constraints)', name);
        execute format('alter table saga.events attach partition saga.%I for values from (%L) to (%L)', name, missing, missing + 1);
        return next missing;
    end loop;
end;
$$;
