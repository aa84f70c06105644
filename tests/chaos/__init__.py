"""The fault suite: servers and bridges are killed under load, and a ledger is compared with the observed state.

- `test_killed_bridge`: the bridge is killed at each of its crash points.
- `test_killed_servers`: RabbitMQ, Temporal or PostgreSQL is killed and started again, once or all the time.
- `test_two_bridges`: two bridges, many repeated events, and one bridge after the other or both at once are killed.
- `test_deleted_queues`: an operator deletes a queue.
- `test_dropped_answers`: answers of a server are lost after it has done its work.
- `test_outbox`: committed events are published, rolled back ones are not, whatever is killed.
- `test_full_dead_letters`: what is put aside has no room.
- `test_killed_workers`: workers are killed while runs have effects over HTTP.
- `test_long_runs`: runs go on in new executions, under repeated signals and with very many events.
- `test_planted_bugs`: the suite finds planted bugs.

Support: `environment` (all that a scenario runs on), `producers` and `message_sequences` (the load), `ledger` and
`observed_state` (expected and real effects), `bridge_processes` and `bridge_main` (bridges under test), `servers`
(servers that may be killed), `answer_dropping_proxy`, `planted_bugs`, `library` (definitions and workflows), `size`.
"""
