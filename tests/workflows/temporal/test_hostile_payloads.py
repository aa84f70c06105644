"""Whatever is sent to a run, its next workflow task completes: hostile payloads through every entrance.

A task that fails is tried again for ever, and the run can then be neither approved nor cancelled. So each test ends
with a look at the history: no task of the run has failed.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError

from contracts.json import DEEPEST
from tests.workflows.temporal.hosting import Host, hosting
from tests.workflows.temporal.plans import act, approval, chain, library, plan, receive, template, undo
from tests.workflows.temporal.watching import Run, failure_of, waiting_approval

_DEEP = b"[" * 3000 + b"]" * 3000
_JUST_DEEP_ENOUGH = b"[" * DEEPEST + b"]" * DEEPEST

UNREADABLE: Final[Mapping[str, Payload]] = {
    "unknown encoding": Payload(metadata={"encoding": b"foo/bar"}, data=b"x"),
    "no encoding": Payload(data=b"{}"),
    "an encoding that is no text": Payload(metadata={"encoding": b"\xff\xfe"}, data=b"{}"),
    "bytes": Payload(metadata={"encoding": b"binary/plain"}, data=b"\x00\xff"),
    "protobuf": Payload(metadata={"encoding": b"binary/protobuf", "messageType": b"no.such.Type"}, data=b"\x08\x01"),
    "no JSON": Payload(metadata={"encoding": b"json/plain"}, data=b"{"),
    "empty": Payload(metadata={"encoding": b"json/plain"}, data=b""),
    "not UTF-8": Payload(metadata={"encoding": b"json/plain"}, data=b'"\xff"'),
    "too deep": Payload(metadata={"encoding": b"json/plain"}, data=_DEEP),
    "half a pair": Payload(metadata={"encoding": b"json/plain"}, data=b'{"text": "ok \\ud83d"}'),
    "an infinite number": Payload(metadata={"encoding": b"json/plain"}, data=b"1e999"),
    "no number": Payload(metadata={"encoding": b"json/plain"}, data=b"NaN"),
    "a number of 5,000 digits": Payload(metadata={"encoding": b"json/plain"}, data=b"7" * 5000),
}
READABLE: Final[Mapping[str, bytes]] = {
    "as deep as may be": _JUST_DEEP_ENOUGH,
    "a large number": b"7" * 4000,
    "400,000 letters of two bytes": ('"' + "ж" * 400_000 + '"').encode(),
    "controls": json.dumps("\x00\x1b[31m\u202e").encode(),
    "a list": b"[[], {}, null, 1.5e300, -0.0]",
    "odd names": json.dumps({"": 1, "__proto__": 2, "$saga": {"state": 1}, "step": {"a": []}}).encode(),
    "null": b"null",
}
OF_THE_SERVER: Final = frozenset(
    {
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
    }
)
"""It takes a task back in which the run ends while something comes, or more comes than it keeps meanwhile."""
GATE = plan(
    "hostile",
    *chain(
        receive("got", "go"),
        approval("allow", approvers=template(["alice"])),
        act("after", args="${ steps.got.output }"),
    ),
    signals=("go",),
)
YES = {"step": "allow", "decision": "approve", "approver": "alice"}


def json_payload(data: bytes) -> Payload:
    """Return bytes as the payload of JSON that they claim to be."""
    return Payload(metadata={"encoding": b"json/plain"}, data=data)


async def send(client: Client, run: Run, name: str, *payloads: Payload) -> None:
    """Signal with payloads as they are."""
    await client.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.id),
            signal_name=name,
            input=Payloads(payloads=payloads),
            request_id=str(uuid.uuid4()),
        )
    )


async def begin(host: Host, workflow: str, *payloads: Payload) -> Run:
    """Start a run with payloads as they are."""
    identity = f"{workflow}/{uuid.uuid4().hex}"
    await host.client.workflow_service.start_workflow_execution(
        StartWorkflowExecutionRequest(
            namespace=host.client.namespace,
            workflow_id=identity,
            workflow_type=WorkflowType(name=workflow),
            task_queue=TaskQueue(name=host.queue),
            input=Payloads(payloads=payloads),
            request_id=str(uuid.uuid4()),
        )
    )
    handle: Run = host.client.get_workflow_handle(identity)
    return handle


async def failed_tasks(run: Run) -> list[str]:
    """Return why workflow tasks of a run have failed."""
    history = await run.fetch_history()
    failures = [
        event.workflow_task_failed_event_attributes
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    ]
    return [f"{each.cause} {each.failure.message}" for each in failures if each.cause not in OF_THE_SERVER]


async def goes_through(run: Run, go: Any = "go") -> Any:
    """Give a run what it waits for, and return its result; none of its tasks has failed."""
    await run.signal("go", go)
    await waiting_approval(run)
    await run.execute_update("decide", YES)
    result = await run.result()
    assert await failed_tasks(run) == []
    return result


@pytest.mark.parametrize("name", ["go", "approve", "reject", "other"])
async def test_signal_that_cannot_be_read_is_put_on_record(client: Client, name: str) -> None:
    """Awaited or not, alone, behind another value, as a decision: it is counted with its reason; the run goes on."""
    async with hosting(client, library(GATE)) as host:
        run = await host.start("hostile", {})
        for payload in UNREADABLE.values():
            await send(client, run, name, payload)
            await send(client, run, name, json_payload(b"{}"), payload)
        state = await run.query("state")
        assert state["refused_count"] == 2 * len(UNREADABLE)
        assert {refused["name"] for refused in state["refused"]} == {name}
        assert all(refused["reason"] for refused in state["refused"])
        assert any("foo/bar" in refused["reason"] for refused in state["refused"])
        assert any("nested deeper" in refused["reason"] for refused in state["refused"])
        await goes_through(run)


@pytest.mark.parametrize("unreadable", list(UNREADABLE))
async def test_start_that_cannot_be_read_fails_at_once(client: Client, unreadable: str) -> None:
    """As `validation`, with the reason, known to the worker at its start or later."""
    async with hosting(client, library(GATE)) as host:
        for workflow in ("hostile", "hostile@1.0.0"):
            run = await begin(host, workflow, UNREADABLE[unreadable])
            error = await failure_of(run)
            assert error.type == "validation"
            assert "cannot be read" in error.message
            assert await failed_tasks(run) == []


@pytest.mark.parametrize("readable", list(READABLE))
async def test_whatever_is_json_goes_through(client: Client, readable: str) -> None:
    """As the input, in signals of any name, in a decision that is wrong, and back out as a result."""
    payload = json_payload(READABLE[readable])
    async with hosting(client, library(GATE)) as host:
        run = await begin(host, "hostile", payload)
        for name in ("other", "approve", "reject"):
            await send(client, run, name, payload)
        await send(client, run, "go", payload)
        await waiting_approval(run)
        await run.execute_update("decide", YES)
        result = await run.result()
        assert json.dumps(result["given"], sort_keys=True) == json.dumps(json.loads(payload.data), sort_keys=True)
        assert await failed_tasks(run) == []


@pytest.mark.parametrize("readable", list(READABLE))
async def test_update_that_is_wrong_is_refused(client: Client, readable: str) -> None:
    """The person is told what a decision is; the run goes on."""
    async with hosting(client, library(GATE)) as host:
        run = await host.start("hostile", {})
        await run.signal("go", 1)
        await waiting_approval(run)
        with pytest.raises((WorkflowUpdateFailedError, RPCError)):
            await run.execute_update("decide", json.loads(READABLE[readable]))
        await run.execute_update("decide", YES)
        await run.result()
        assert await failed_tasks(run) == []


@pytest.mark.parametrize(
    "expression",
    [
        "double('1e400')",
        "math.sqrt(input.huge)",
        "'%x'.format([input.half])",
        "'%d'.format([input.text])",
        "input.text.replace('a', 'b', 1000000000000000000)",
        "input.deep",
        "[[[input.deep]]]",
        "input.text.substring(1000000000000)",
        "timestamp(input.text)",
        "duration(input.text)",
        "1 / 0",
        "int(input.huge)",
        "input.text.matches('(a+)+$')",
    ],
)
async def test_whatever_an_expression_does_is_its_steps_problem(client: Client, expression: str) -> None:
    """It has a value, or its step fails and what was done is undone."""
    steps = chain(act("first", undo=undo()), act("second", args={"x": f"${{ {expression} }}"}))
    given = {"huge": 10**400, "half": "a", "text": "abc", "deep": json.loads(b"[" * 98 + b"]" * 98)}
    async with hosting(client, library(plan("expresses", *steps))) as host:
        run = await host.start("expresses", given)
        try:
            await run.result()
        except Exception:
            error = await failure_of(run)
            assert error.type == "expression"
            assert host.ledger.lines == ["note first", "undo first/compensate"]
        assert await failed_tasks(run) == []


@pytest.mark.parametrize(
    "carried",
    [
        {"state": {}},
        {"state": {"frames": 1}},
        {"state": []},
        {"packed_state": "no base64 at all"},
        {"packed_state": base64.b64encode(b"not packed").decode()},
        {"since": "yesterday", "landed": 7, "state": {"definition": 1}},
        {"slice": {"node": 1}},
        {},
    ],
)
async def test_start_that_claims_to_resume_is_refused_where_it_is_wrong(client: Client, carried: Any) -> None:
    """Anybody can start a run with a memo and with what only the product says."""
    async with hosting(client, library(GATE)) as host:
        run = await host.start("hostile", {}, {"$saga": carried}, memo={"resumes": "x"})
        assert (await failure_of(run)).type == "validation"
        assert await failed_tasks(run) == []


@pytest.mark.parametrize("pin", ["", "garbage", "1.0.0", "1.0.0+zzzzzzzz", "x" * 2000, "1.0.0+00000000\n"])
async def test_start_with_a_version_that_is_none_is_refused(client: Client, pin: str) -> None:
    """The search attribute of a pin may be set by anybody; the run does not wait for a worker that has that version."""
    attribute = SearchAttributePair(SearchAttributeKey.for_keyword("SagaVersion"), pin)
    async with hosting(client, library(GATE)) as host:
        run = await host.start("hostile", {}, search_attributes=TypedSearchAttributes([attribute]))
        assert (await failure_of(run)).type == "validation"
        assert await failed_tasks(run) == []


PAYLOADS = st.builds(
    Payload,
    metadata=st.dictionaries(
        st.sampled_from(["encoding", "messageType", "type"]),
        st.sampled_from([b"json/plain", b"binary/null", b"binary/plain", b"json/protobuf", b"\xff", b""]) | st.binary(),
        max_size=3,
    ),
    data=st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(st.tuples(st.sampled_from(["go", "approve", "other", ""]), PAYLOADS), max_size=12), first=PAYLOADS)
async def test_no_task_fails_whatever_is_sent(client: Client, sent: list[tuple[str, Payload]], first: Payload) -> None:
    """Random payloads at the start and as signals: the run is refused at its start, or takes what follows and ends."""
    async with hosting(client, library(GATE)) as host:
        run = await begin(host, "hostile", first)
        with suppress(RPCError):  # it may have ended: most of what it is started with cannot be read
            for name, payload in sent:
                await send(client, run, name or "unnamed", payload)
            await run.cancel()
        with suppress(WorkflowFailureError):
            await run.result()
        assert await failed_tasks(run) == []
