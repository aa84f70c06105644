"""Acceptance tests: the product's promises, checked with its real processes on real services.

- `test_seed_definition`: the seed's definition and approvals, started by Temporal's CLI and by events.
- `test_events`: events over RabbitMQ: CloudEvents, order, priority, early signals, an outage of the broker.
- `test_webhooks`: webhook deliveries over HTTP to a run.
- `test_dead_letters`: `saga dlq`.
- `test_event_log`: `saga events` (replay, tail, archive, restore) and `saga topology diff`.
- `test_process_kills`: SIGKILL of the worker, the bridge, and the Temporal server in the middle of fifty runs.
- `test_version_rollout`: worker deployments, rollouts and a rollback under load.
- `test_timeouts`: timers of days on the time-skipping server: approvals, waits, the run's time-out.
- `test_history_replay`: recorded histories of the shipped definitions replay.
- `test_projection`: the projection rebuilt from histories equals the one written live.
- `test_determinism`: plans and command streams are equal in every process.
- `test_tracing`: one trace over message, run and published message.

Support: `processes` (`saga worker`, `saga bridge` and the CLIs as processes), `event_deployment` and
`event_definitions/` (fixture `event_deployment`), `event_listener`, `scenarios` and `record_histories` (recorded in
`histories/`), `command_streams`, `ledger`, `killable_temporal`, `definitions/` (for the kill tests).
"""
