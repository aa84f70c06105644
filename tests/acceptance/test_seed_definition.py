"""The product's main job, from outside: Temporal's command line, RabbitMQ, PostgreSQL and the two processes."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError

from contracts.json import Json
from tests.acceptance.conftest import SEED_TYPE, ShippedDeployment
from tests.acceptance.event_listener import wait_for_empty_outbox
from tests.support.waiting import eventually

Run = WorkflowHandle[Any, Any]
STATUS = SearchAttributeKey.for_keyword("SagaStatus")


def request(agent: str, pattern: str = "systems") -> dict[str, Json]:
    """Return what is asked for."""
    return {"agent_id": agent, "type": "researcher", "cognitive_pattern": pattern, "created_by": "user123"}


async def started(deployment: ShippedDeployment, kind: str, identity: str, given: Any) -> Run:
    """Start a run with `temporal workflow start`."""
    what = ("--type", kind, "--workflow-id", identity, "--input", json.dumps(given))
    queue = ("--task-queue", deployment.settings.task_queue)
    document = (await deployment.settings.temporal_cli("workflow", "start", *what, *queue)).json
    return deployment.client.get_workflow_handle(identity, run_id=document["runId"])


async def waits(run: Run) -> None:
    """Wait until the run waits for a person."""

    async def asks() -> bool:
        return bool(await run.query("approvals"))

    await eventually(asks)


async def signals(run: Run) -> list[list[bytes]]:
    """Return the arguments of each signal in the run's history."""
    history = await run.fetch_history()
    found = [event.workflow_execution_signaled_event_attributes for event in history.events]
    return [[payload.data for payload in signal.input.payloads] for signal in found if signal.signal_name]


async def rows(deployment: ShippedDeployment, agent: str) -> dict[str, int]:
    """Count the rows of an agent."""
    [found] = await deployment.database.fetch(
        "select (select count(*) from saga.agents where agent_id = $1) as agents,"
        " (select count(*) from saga.knowledge_bases where agent_id = $1) as knowledge_bases,"
        " (select count(*) from saga.pattern_stores where agent_id = $1) as pattern_stores,"
        " (select count(*) from saga.notifications where agent_id = $1) as notifications",
        agent,
    )
    return found


EVERYTHING = {"agents": 1, "knowledge_bases": 1, "pattern_stores": 1, "notifications": 1}
NOTHING = dict.fromkeys(EVERYTHING, 0)


async def announced(deployment: ShippedDeployment, agent: str) -> list[str]:
    """Return the types of the events about an agent; other events are dropped."""
    await wait_for_empty_outbox(deployment.database)
    return [
        event["event_type"] for event in await deployment.listener.received() if event["data"].get("agent_id") == agent
    ]


async def test_seed_definition_runs_from_the_temporal_cli(shipped_deployment: ShippedDeployment) -> None:
    """The seed's JSON, unchanged, started by its type's name: real rows, a real event, the result by step."""
    agent = uuid.uuid4().hex
    run = await started(shipped_deployment, SEED_TYPE, f"seed-{agent}", request(agent))
    result = await run.result()
    assert result.keys() == {"initialize-knowledge", "initialize-patterns", "send-notification"}
    assert result["initialize-patterns"] == {"agent_id": agent, "cognitive_pattern": "systems"}
    assert await rows(shipped_deployment, agent) == EVERYTHING
    assert await announced(shipped_deployment, agent) == ["agent.ready"]
    assert (await run.describe()).typed_search_attributes[STATUS] == "completed"


async def test_seed_run_that_fails_in_its_middle_is_rolled_back(shipped_deployment: ShippedDeployment) -> None:
    """initializePatternStore does not know the pattern: cleanup removes the rows, and withdraws the news."""
    agent = uuid.uuid4().hex
    run = await started(shipped_deployment, SEED_TYPE, f"seed-{agent}", request(agent, "telepathic"))
    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    assert isinstance(caught.value.cause, ApplicationError)
    assert "telepathic" in str(caught.value.cause.details)
    assert await rows(shipped_deployment, agent) == NOTHING
    events = await announced(shipped_deployment, agent)
    assert events.count("agent.ready") <= events.count("agent.withdrawn")
    assert (await run.describe()).typed_search_attributes[STATUS] == "compensated"
    steps = [event.activity_task_scheduled_event_attributes for event in (await run.fetch_history()).events]
    assert [step.activity_type.name for step in steps if step.activity_id][-1] == "rollbackAgentCreation"


async def test_approval_is_given_by_temporal_workflow_signal(shipped_deployment: ShippedDeployment) -> None:
    """Nothing is announced before; everything is there afterwards."""
    agent = uuid.uuid4().hex
    run = await started(shipped_deployment, "agent-creation", f"agent-creation/{agent}", request(agent))
    await waits(run)
    assert await rows(shipped_deployment, agent) == NOTHING | {"agents": 1}
    approval = json.dumps({"step": "approve-agent", "approver": "alice", "comment": "welcome"})
    signal = ("--workflow-id", run.id, "--name", "approve", "--input", approval)
    assert (await shipped_deployment.settings.temporal_cli("workflow", "signal", *signal)).code == 0
    assert (await run.result())["agent_id"] == agent
    assert await rows(shipped_deployment, agent) == EVERYTHING
    [signalled] = await signals(run)
    assert json.loads(signalled[0]) == json.loads(approval)


async def decide(deployment: ShippedDeployment, run: Run, **decision: Any) -> Any:
    """Decide with `temporal workflow update execute`."""
    update = ("--workflow-id", run.id, "--name", "decide", "--input", json.dumps({"decision": "approve"} | decision))
    return await deployment.settings.temporal_cli("workflow", "update", "execute", *update)


async def test_bad_decisions_are_refused_by_temporal_workflow_update(shipped_deployment: ShippedDeployment) -> None:
    """Each names its reason and leaves the run as it was; good ones are accepted, and the run goes on."""
    order = uuid.uuid4().hex
    run = await started(shipped_deployment, "order-fulfilment", f"order-fulfilment/{order}", large_order(order))
    await waits(run)
    step, sales = "approve-large-order", ["sales"]
    refused: dict[str, dict[str, Any]] = {
        "eve may not decide `approve-large-order`; these may: role:sales": {"step": step, "approver": "eve"},
        "`approve-lunch` is no approval of order-fulfilment": {"step": "approve-lunch", "approver": "ada"},
        '"approver" must say who decides': {"step": step},
        '"decision" must be "approve" or "reject"': {"step": step, "approver": "ada", "decision": "maybe"},
        "Unknown: rols": {"step": step, "approver": "ada", "rols": sales},
    }
    for reason, decision in refused.items():
        answer = await decide(shipped_deployment, run, **decision)
        assert answer.code != 0
        assert reason in answer.err + answer.out
    accepted = (await decide(shipped_deployment, run, step=step, approver="ada", roles=sales)).json
    assert accepted["result"] == {"step": step, "approved": True, "waiting": True}
    again = await decide(shipped_deployment, run, step=step, approver="ada", roles=sales)
    assert (again.code != 0, "ada has decided" in again.err + again.out) == (True, True)
    assert (await decide(shipped_deployment, run, step=step, approver="bo", roles=sales)).json["result"][
        "waiting"
    ] is False
    assert (await run.result())["order_id"] == order


def large_order(order: str) -> dict[str, Any]:
    """Return an order that two people must approve."""
    items = [{"sku": "lamp", "quantity": 1}]
    return {"order_id": order, "account": "acme", "address": "1 Main Street", "total": 5000, "items": items}


async def test_approval_is_given_by_temporal_workflow_update(shipped_deployment: ShippedDeployment) -> None:
    """agent-creation: no such step and no name are refused, the decision is confirmed, and the run completes."""
    agent = uuid.uuid4().hex
    run = await started(shipped_deployment, "agent-creation", f"agent-creation/{agent}", request(agent))
    await waits(run)
    unknown = await decide(shipped_deployment, run, step="approve-agnt", approver="alice")
    assert (unknown.code != 0, "Waiting now: approve-agent" in unknown.err + unknown.out) == (True, True)
    nameless = await decide(shipped_deployment, run, step="approve-agent", approver="")
    assert (nameless.code != 0, "who decides" in nameless.err + nameless.out) == (True, True)
    accepted = (await decide(shipped_deployment, run, step="approve-agent", approver="alice")).json
    assert accepted["result"] == {"step": "approve-agent", "approved": True, "waiting": False}
    assert (await run.result())["agent_id"] == agent
    assert await rows(shipped_deployment, agent) == EVERYTHING


async def test_event_starts_and_approves_once_though_it_comes_five_times(shipped_deployment: ShippedDeployment) -> None:
    """Through RabbitMQ and the bridge: one run, one approval, every effect once, and no event left over."""
    agent = uuid.uuid4().hex
    run: Run = shipped_deployment.client.get_workflow_handle(f"agent-creation/{agent}")
    await asyncio.gather(
        *(shipped_deployment.listener.publish("agent.requested", f"req-{agent}", request(agent)) for _ in range(5))
    )
    await eventually(lambda: exists(shipped_deployment, run.id))
    await waits(run)
    approved: Json = {"agent_id": agent, "approved_by": "carol"}
    await asyncio.gather(
        *(shipped_deployment.listener.publish("agent.approved", f"yes-{agent}", approved) for _ in range(5))
    )
    assert (await run.result())["agent_id"] == agent
    assert await rows(shipped_deployment, agent) == EVERYTHING
    assert await announced(shipped_deployment, agent) == ["agent.ready"]
    assert await executions(shipped_deployment, run.id) == 1
    [(decision, origin)] = await signals(run)
    assert json.loads(decision) == {"step": "approve-agent", "approver": "carol"}
    assert json.loads(origin)["event"]["id"] == f"yes-{agent}"


async def exists(deployment: ShippedDeployment, workflow_id: str) -> bool:
    """Tell whether Temporal lists the run."""
    return await executions(deployment, workflow_id) > 0


async def executions(deployment: ShippedDeployment, workflow_id: str) -> int:
    """Count the executions of a run."""
    return (await deployment.client.count_workflows(f"WorkflowId = '{workflow_id}'")).count
