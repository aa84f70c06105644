"""Starting, signalling and cancelling runs, once, on the real server."""

from __future__ import annotations

import pickle
import uuid
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from contracts.errors import PermanentError, ServiceUnreachableError, TemporaryError
from contracts.json import Json
from tests.workflows.temporal.hosting import hosting
from tests.workflows.temporal.plans import act, chain, definition, library, plan, receive, template
from tests.workflows.temporal.watching import Run, attributes_of
from workflows.language.library import pin_of
from workflows.temporal.business_key import KeyRefusedError
from workflows.temporal.errors import RefusedByTemporalError, RunExistsError, RunNotFoundError, translated
from workflows.temporal.starting import StartRequest, cancel_run, signal_run, start_run

WAITING = plan("waiting", *chain(receive("wait", "go"), act("a", args="${ steps.wait.output }")), signals=("go",))
QUICK = plan("quick", act("a"))
KEYED = plan("keyed", act("a"), key=template("order-${ input.order }"))


def fresh() -> str:
    """A name that no other test uses."""
    return uuid.uuid4().hex


async def test_start_makes_a_described_and_pinned_run(client: Client) -> None:
    """A run is named by definition and key, carries its attributes, summary, priority and cause."""
    key = fresh()
    async with hosting(client, library(QUICK)) as host:
        request = StartRequest(definition(QUICK), {"n": 1}, key=key, correlation_id="cause-7", priority=2)
        started = await start_run(client, host.queue, request)
        assert (started.workflow_id, started.started) == (f"quick/{key}", True)
        handle: Run = client.get_workflow_handle(started.workflow_id, run_id=started.run_id)
        assert (await handle.result())["cause"] == "cause-7"
        found = await attributes_of(handle)
        assert (found["SagaVersion"], found["SagaKey"]) == (pin_of(definition(QUICK)), key)
        described = await handle.describe()
        assert await described.static_summary() == "quick"
        assert described.raw_description.workflow_execution_info.priority.priority_key == 2


async def test_started_run_adds_one_event_to_a_hand_written_one(client: Client) -> None:
    """The run's only own event is the upsert of its final status."""
    async with hosting(client, library(QUICK)) as host:
        started = await start_run(client, host.queue, StartRequest(definition(QUICK), {}))
        handle: Run = client.get_workflow_handle(started.workflow_id)
        await handle.result()
        kinds = [event.WhichOneof("attributes") for event in (await handle.fetch_history()).events]
        assert kinds.count("upsert_workflow_search_attributes_event_attributes") == 1
        assert "marker_recorded_event_attributes" not in kinds


async def test_start_with_the_version_names_it(client: Client) -> None:
    """An explicit version is the workflow type."""
    async with hosting(client, library(QUICK)) as host:
        started = await start_run(client, host.queue, StartRequest(definition(QUICK), {}, version_explicit=True))
        handle: Run = client.get_workflow_handle(started.workflow_id)
        await handle.result()
        assert (await handle.describe()).workflow_type == "quick@1.0.0"


async def test_repeated_start_is_one_run(client: Client) -> None:
    """The same request id starts once, also after the run has ended."""
    key, event = fresh(), fresh()
    async with hosting(client, library(QUICK)) as host:
        request = StartRequest(definition(QUICK), {}, key=key, request_id=event)
        first = await start_run(client, host.queue, request)
        again = await start_run(client, host.queue, request)
        await client.get_workflow_handle(first.workflow_id).result()
        late = await start_run(client, host.queue, request)
        assert first.run_id == again.run_id == late.run_id
        assert host.ledger.lines == ["note a"]


async def test_start_without_a_key_is_named_by_its_request(client: Client) -> None:
    """The event's id names the run; without one each start is a new run."""
    event = fresh()
    by_event = await start_run(client, "nobody", StartRequest(definition(QUICK), {}, request_id=event))
    one = await start_run(client, "nobody", StartRequest(definition(QUICK), {}))
    two = await start_run(client, "nobody", StartRequest(definition(QUICK), {}))
    assert by_event.workflow_id == f"quick/{event}"
    assert one.workflow_id != two.workflow_id
    for started in (by_event, one, two):
        await client.get_workflow_handle(started.workflow_id).terminate()


async def test_key_of_the_definition_names_the_run(client: Client) -> None:
    """The definition's `key` is evaluated over the input."""
    order = fresh()
    async with hosting(client, library(KEYED)) as host:
        started = await start_run(client, host.queue, StartRequest(definition(KEYED), {"order": order}))
        assert started.workflow_id == f"keyed/order-{order}"
        handle: Run = client.get_workflow_handle(started.workflow_id)
        await handle.result()
        assert (await attributes_of(handle))["SagaKey"] == f"order-{order}"


@pytest.mark.parametrize("given", [{}, {"other": 1}])
async def test_input_without_a_key_is_refused(client: Client, given: dict[str, Any]) -> None:
    """A key that has no value is refused before anything starts."""
    with pytest.raises(KeyRefusedError, match="order"):
        await start_run(client, "nobody", StartRequest(definition(KEYED), given))


async def test_key_of_another_kind_is_refused(client: Client) -> None:
    """A key is text or a number."""
    odd = plan("odd", act("a"), key=template("${ input.key }"))
    with pytest.raises(KeyRefusedError, match="neither text nor a number"):
        await start_run(client, "nobody", StartRequest(definition(odd), {"key": ["x"]}))


async def test_running_key_is_treated_as_asked(client: Client) -> None:
    """A key that is running fails, is left alone, or is terminated and started anew."""
    key = fresh()
    first = await start_run(client, "nobody", StartRequest(definition(WAITING), {}, key=key))
    with pytest.raises(RunExistsError, match=key):
        await start_run(client, "nobody", StartRequest(definition(WAITING), {}, key=key))
    left = await start_run(client, "nobody", StartRequest(definition(WAITING), {}, key=key, if_running="ignore"))
    assert (left.run_id, left.started) == (first.run_id, False)
    new = await start_run(client, "nobody", StartRequest(definition(WAITING), {}, key=key, if_running="terminate"))
    assert new.started
    assert new.run_id != first.run_id
    await client.get_workflow_handle(new.workflow_id).terminate()


async def test_repeated_signal_is_one_signal(client: Client) -> None:
    """A signal with the same request id arrives once; it carries the event that it was made of."""
    name = fresh()
    event: dict[str, Json] = {"id": name, "type": "paid", "data": {"n": 1}}
    async with hosting(client, library(WAITING)) as host:
        started = await start_run(client, host.queue, StartRequest(definition(WAITING), {}))
        for _ in range(3):
            await signal_run(
                client, started.workflow_id, "other", {"n": 1}, event=event, message_id=name, request_id="once"
            )
        handle: Run = client.get_workflow_handle(started.workflow_id)
        mailbox = (await handle.query("state"))["mailbox"]
        # What the event and the signal both carry is kept once.
        assert [kept["event"] | {"data": kept["data"]} for kept in mailbox] == [event]
        await signal_run(client, started.workflow_id, "go", "done")
        assert (await handle.result())["given"] == "done"


async def test_cancel_reaches_the_run(client: Client) -> None:
    """A cancel request with its reason reaches the run."""
    async with hosting(client, library(WAITING)) as host:
        started = await start_run(client, host.queue, StartRequest(definition(WAITING), {}))
        await cancel_run(client, started.workflow_id, "no longer wanted", request_id="c-1")
        handle: Run = client.get_workflow_handle(started.workflow_id)
        with pytest.raises(Exception, match="Workflow execution failed"):
            await handle.result()
        assert "no longer wanted" in (await handle.query("state"))["problem"]["detail"]


async def test_unknown_run_is_said_so(client: Client) -> None:
    """Signals and cancels to a run that is not running say which."""
    name = f"waiting/{fresh()}"
    with pytest.raises(RunNotFoundError, match=name):
        await signal_run(client, name, "go", None)
    with pytest.raises(RunNotFoundError, match=name):
        await cancel_run(client, name, "why")


async def test_refused_request_says_what_temporal_said(client: Client) -> None:
    """What the server does not accept is permanent and says why."""
    with pytest.raises(RefusedByTemporalError, match="length"):
        await start_run(client, "nobody", StartRequest(definition(QUICK), {}, key="x" * 5000))


@pytest.mark.parametrize("status", [RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED])
async def test_silent_server_is_named_with_its_address(client: Client, status: RPCStatusCode) -> None:
    """A server that does not answer is a temporary error with its address and a cure."""
    with pytest.raises(ServiceUnreachableError) as caught, translated(client, "x/1"):
        raise RPCError("connection refused", status, b"")
    assert isinstance(caught.value, TemporaryError)
    assert client.service_client.config.target_host in str(caught.value)


@pytest.mark.parametrize("kind", [RunNotFoundError, RunExistsError, RefusedByTemporalError, KeyRefusedError])
def test_errors_pickle(kind: type[PermanentError]) -> None:
    """The errors travel between processes."""
    assert str(pickle.loads(pickle.dumps(kind("Run: x/1.")))) == str(kind("Run: x/1."))  # noqa: S301 - our own bytes
