Deployed versions.

-- name: record
insert into saga.deployments (definition, version, digest)
values ($1, $2, $3)
on conflict (definition, version) do nothing

-- name: digest
select digest from saga.deployments where definition = $1 and version = $2

-- name: all
select definition, version, digest, deployed_at from saga.deployments order by definition, deployed_at, version
