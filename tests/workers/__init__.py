"""Tests of the worker.

Named after their module in `workers/`: `backfills`, `changes`, `converter`, `detector`, `lifecycle`, `metrics`,
`rebuilding`, `recording`, `retention`, `scheduled`, `schedules`, `stuck`, `telling`, `triggering`, `watch`, `worker`.

Over several modules:

- `test_deployments`: releases of the engine as versions of a worker deployment.
- `test_postgres_outage`: recording goes on after an outage of PostgreSQL.
- `test_projection_random_plans`: the projection of random plans, with workers that are killed.
- `test_report_rows`: reports and watches read the rows that a worker wrote.
- `test_reset_runs`: the projection of a run after `temporal workflow reset`.
- `test_resumed_runs`: the projection of runs that were resumed or moved to another version.

Support: `projection` (a recording worker, and the rows), `generated_definitions` (random definitions, and a worker
process for them), `scraping` (metrics), `postgres_proxy`.
"""
