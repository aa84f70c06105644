Rollouts that an operator set.

-- name: set
insert into saga.rollouts (definition, version, percent, changed_by)
values ($1, $2, $3, $4)
on conflict (definition, version) do update
set percent = excluded.percent, changed_at = now(), changed_by = excluded.changed_by

-- name: clear
delete from saga.rollouts where definition = $1 and version = $2 returning version

-- name: all
select definition, version, percent, changed_at, changed_by from saga.rollouts order by definition, version
