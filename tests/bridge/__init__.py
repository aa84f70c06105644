"""Tests of the bridge.

Named after their module in `bridge/`: `batches`, `breaker`, `bridge`, `chores`, `cloudevents`, `depths`, `dispatch`,
`envelope`, `figures`, `judging`, `keeper`, `lanes`, `letters`, `membership`, `metrics`, `recording`, `relay`, `replay`,
`route`, `slots`, `sorting`, `tracing`; and the packages `amqp/`, `archive/`, `http/`, `schemas/`, `topology/`.

Over several modules, with a running bridge:

- `test_cluster`: a RabbitMQ cluster of three nodes, any of which is killed under load.
- `test_correlated_event_crash`: a crash between the signal and the record of a correlated event.
- `test_dead_letter_retry`: a dead letter is stored, and published again after the cause was removed.
- `test_duplicate_events`: repeated events and replays.
- `test_expiry`: time to live.
- `test_held_message_retry`: a held message that expired, retried when its run exists.
- `test_kills`: the bridge is killed at its crash points.
- `test_malformed_messages`: messages that cannot be handled do not block the others.
- `test_memory_alarm`: the memory alarm of RabbitMQ.
- `test_outages`: outages of RabbitMQ, Temporal and PostgreSQL.
- `test_retries`: errors of unclear cause, retried through the delay queues.
- `test_rollouts`: the definition version that an event starts.
- `test_several_bridges`: the partitions are shared, with order per key.
- `test_shutdown`: stop while PostgreSQL is away.
- `test_unstable_connection`: a connection that breaks at random moments.

Support: `environment` (fixture `env`: worker, task queue, virtual host, bridges), `dispatch_harness` (a dispatcher
without a bridge), `library` (definitions and events by hand), `strategies` (random events), `fault_injection`, and the
processes that tests kill: `bridge_process` with `bridge_main`, `keeper_main`, `relay_main`.
"""
