Agents, their knowledge bases, pattern stores and notifications.

-- name: insert_agent
insert into saga.agents (agent_id, name, type, cognitive_pattern, created_by, run_id, idempotency_key)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing

-- name: agent
select agent_id, name, type, cognitive_pattern, created_by, run_id, idempotency_key
from saga.agents where agent_id = $1

-- name: agents_of_run
select agent_id, name, type, cognitive_pattern, created_by, run_id, idempotency_key
from saga.agents where run_id = $1 order by created_at, agent_id

-- name: insert_knowledge_base
insert into saga.knowledge_bases (agent_id, domain, idempotency_key)
values ($1, $2, $3)
on conflict (agent_id) do nothing

-- name: pattern
select name from saga.cognitive_patterns where name = $1

-- name: patterns
select name from saga.cognitive_patterns order by name

-- name: insert_pattern_store
insert into saga.pattern_stores (agent_id, cognitive_pattern, idempotency_key)
values ($1, $2, $3)
on conflict (agent_id) do nothing

-- name: insert_notification
insert into saga.notifications (event_id, agent_id) values ($1, $2) on conflict do nothing

-- name: notified_of_run
select distinct agents.agent_id, agents.type
from saga.agents join saga.notifications using (agent_id)
where agents.run_id = $1 order by agents.agent_id

-- name: delete_pattern_stores
delete from saga.pattern_stores where agent_id in (select agent_id from saga.agents where run_id = $1)

-- name: delete_knowledge_bases
delete from saga.knowledge_bases where agent_id in (select agent_id from saga.agents where run_id = $1)

-- name: delete_agents
delete from saga.agents where run_id = $1
