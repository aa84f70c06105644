"""Dispatching: what is started, signalled and held, and that nothing is done twice, against a real server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import Payloads, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import SignalWithStartWorkflowExecutionRequest
from temporalio.client import Client

from bridge.dispatches import SignalDispatch, StartDispatch
from bridge.holding import RunMissingError
from bridge.outcomes import Effect
from bridge.route import route
from store.database import Database
from tests.bridge.dispatch_harness import ORDERS, DispatchHarness, new_key, note, open_dispatch_harness, placed
from tests.support.waiting import eventually
from workflows.temporal.errors import RunExistsError, RunNotFoundError
from workflows.temporal.finding import correlated_runs, latest_run
from workflows.temporal.starting import StartRequest, signal_run, start_run


@pytest.fixture
async def harness(client: Client, database: Database) -> AsyncIterator[DispatchHarness]:
    """A dispatcher of this test's own."""
    async with open_dispatch_harness(client, database) as opened:
        yield opened


async def published(harness: DispatchHarness, *entries: str) -> None:
    """Wait until a run is found by these entries."""

    async def found() -> bool:
        return bool(await correlated_runs(harness.client, "order", entries))

    await eventually(found)


async def test_message_before_its_run_is_held_and_reaches_it_first(harness: DispatchHarness) -> None:
    """What came before the start is given to the run before anything that comes after it, in order."""
    key = new_key()
    assert await harness.kind(note("note.kept", "one", id=key)) == "held"
    assert await harness.kind(note("note.kept", "two", id=key)) == "held"
    assert await harness.kind(placed(key, notes=3)) == "started"
    assert await harness.keeper.count() == 0
    assert await harness.kind(note("note.kept", "three", id=key)) == "signalled"
    assert await harness.signals_received(key) == ["one", "two", "three"]
    assert [effect for _, effect in harness.delivered] == [Effect("signalled", f"order/{key}")] * 2


async def test_message_queues_behind_what_is_held_although_the_run_is_there(harness: DispatchHarness) -> None:
    """A run that was not started by an event gets its held messages first too."""
    key = new_key()
    await harness.kind(note("note.kept", "one", id=key))
    [definition] = ORDERS.current()
    data = placed(key, notes=2).data
    await start_run(harness.client, harness.queue, StartRequest(definition, data, key=key))
    assert await harness.kind(note("note.kept", "two", id=key)) == "held"
    await harness.keeper.release(f"order/{key}")
    assert await harness.signals_received(key) == ["one", "two"]


async def test_held_message_says_until_when(harness: DispatchHarness) -> None:
    """The effect names the run and the end of waiting; a repeated event is held once."""
    told = note("note.kept", "one", id=new_key())
    [first], [second] = await harness.dispatch(told), await harness.dispatch(told)
    assert first.workflow_id == second.workflow_id == f"order/{told.data['id']}"  # type: ignore[call-overload, index]  # it is a map
    assert first.held_until is not None
    assert await harness.keeper.count() == 1


async def test_message_is_not_held_for_longer_than_its_event_is_of_use(harness: DispatchHarness) -> None:
    """An event that expires earlier than the trigger's time ends the waiting."""
    soon = datetime.now(UTC) + timedelta(minutes=1)
    told = replace(note("note.kept", "one", id=new_key()), expires_at=soon)
    [effect] = await harness.dispatch(told)
    assert effect.held_until == soon


async def test_cancellation_before_its_run_is_held(harness: DispatchHarness) -> None:
    """A run that is cancelled before it is started is cancelled then."""
    key = new_key()
    assert await harness.kind(note("order.ended", "", id=key)) == "held"
    await harness.kind(placed(key))
    assert [effect.kind for _, effect in harness.delivered] == ["cancelled"]


async def test_cancellation_of_a_run_that_has_ended_is_not_held(harness: DispatchHarness) -> None:
    """It does nothing, and does not meet the next run with this key."""
    key = new_key()
    await harness.kind(placed(key))
    await harness.kind(note("note.kept", "end", id=key))
    await harness.signals_received(key)
    assert await harness.kind(note("order.ended", "", id=key)) == "cancelled"
    assert await harness.keeper.count() == 0


async def test_many_starts_at_once_deliver_what_is_held(harness: DispatchHarness) -> None:
    """More than the pool has connections, each of which is needed twice."""
    keys = [new_key() for _ in range(30)]
    for say in ("one", "two", "three"):
        await asyncio.gather(*(harness.kind(note("note.kept", say, id=key)) for key in keys))
    started = await asyncio.gather(*(harness.kind(placed(key, notes=3)) for key in keys))
    assert set(started) == {"started"}
    assert await harness.keeper.count() == 0
    assert [await harness.signals_received(key) for key in keys] == [["one", "two", "three"]] * len(keys)


@pytest.mark.parametrize("kind", ["note.strict", "paid.strict"])
async def test_missing_run_is_an_error_where_the_trigger_does_not_hold(harness: DispatchHarness, kind: str) -> None:
    """Nothing is kept."""
    with pytest.raises((RunNotFoundError, RunMissingError)):
        await harness.dispatch(note(kind, "x", id=new_key(), invoice=new_key()))
    assert await harness.keeper.count() == 0


@pytest.mark.parametrize("kind", ["note.loose", "paid.loose"])
async def test_missing_run_is_no_error_where_the_trigger_drops(harness: DispatchHarness, kind: str) -> None:
    """It is told, and nothing is kept."""
    assert await harness.kind(note(kind, "x", id=new_key(), invoice=new_key())) == "dropped"
    assert await harness.keeper.count() == 0


async def test_two_triggers_make_two_signals_of_one_event(harness: DispatchHarness) -> None:
    """The run does not take the second for a repetition of the first."""
    key = new_key()
    await harness.kind(placed(key, notes=2))
    told = note("note.double", "one", id=key)
    assert [effect.kind for effect in await harness.dispatch(told)] == ["signalled", "signalled"]
    await harness.dispatch(told)
    assert await harness.signals_received(key) == ["one", "twin"]


async def test_replay_with_salt_is_another_message(harness: DispatchHarness) -> None:
    """A replay that does everything again is not dropped by Temporal, nor by the run."""
    key = new_key()
    await harness.kind(placed(key, notes=2))
    told = note("note.kept", "one", id=key)
    for salt in ("", "", "replay-1", "replay-1"):
        await harness.dispatch(told, salt=salt)
    assert await harness.signals_received(key) == ["one", "one"]


@pytest.mark.parametrize(
    ("kind", "recorded", "effect"),
    [
        ("order.placed", "started", "already-started"),
        ("note.kept", "signalled", "signalled"),
        ("order.ended", "cancelled", "cancelled"),
        ("note.loose", "dropped", "dropped"),
    ],
)
async def test_what_is_on_record_is_not_done_again(
    harness: DispatchHarness, kind: str, recorded: str, effect: str
) -> None:
    """A dispatch found in the log comes back as what it was."""
    key = new_key()
    told = note(kind, "x", id=key)
    [dispatch] = route(told, ORDERS).dispatches
    before = {"kind": recorded, "workflow_id": "order/w", "run_id": "r"}
    found = await harness.dispatcher.dispatch(dispatch, told, None, before=before)
    assert found == Effect(effect, "order/w", "r", before=True)  # type: ignore[arg-type]  # one of the words
    assert await latest_run(harness.client, f"order/{key}") is None
    assert await harness.keeper.count() == 0


async def test_message_that_was_given_up_is_sent_when_its_event_comes_again(harness: DispatchHarness) -> None:
    """On record as held it is not held twice; once nobody keeps it any more, a replay delivers it."""
    key = new_key()
    told = note("note.kept", "one", id=key)
    [dispatch] = route(told, ORDERS).dispatches
    before: dict[str, Any] = {"kind": "held", "workflow_id": f"order/{key}", "run_id": None}
    await harness.kind(told)
    assert await harness.kind(told, before=before) == "held"
    assert await harness.keeper.count() == 1
    await harness.keeper.forget(dispatch.request_id)
    await harness.kind(placed(key, notes=1))
    assert await harness.kind(told, before=before) == "signalled"
    assert await harness.signals_received(key) == ["one"]


async def test_message_that_is_held_under_the_id_of_before_is_not_sent_twice(harness: DispatchHarness) -> None:
    """Its trigger has moved meanwhile, and so has its request id another value than the one that is kept."""
    key = new_key()
    told = note("note.kept", "one", id=key)
    [dispatch] = route(told, ORDERS).dispatches
    await harness.kind(told)
    before: dict[str, Any] = {"kind": "held", "workflow_id": f"order/{key}", "request_id": dispatch.request_id}
    assert isinstance(dispatch, SignalDispatch)
    moved = replace(dispatch, request_id="another")
    assert (await harness.dispatcher.dispatch(moved, told, None, before=before)).kind == "held"
    assert await harness.keeper.count() == 1


async def test_start_that_may_signal_starts_then_signals(harness: DispatchHarness) -> None:
    """The first event starts, the second is the signal; each repeated changes nothing, also when the run is over."""
    key = new_key()
    first, second = placed(key, kind="order.joined"), placed(key, kind="order.joined")
    start = [dispatch for dispatch in route(second, ORDERS).dispatches if isinstance(dispatch, StartDispatch)]
    assert start[0].if_running == "signal"
    assert await harness.kind(first) == "started"
    assert await harness.kind(first) == "already-started"
    # The run waits for a signal `note`; the event comes as a signal named after its type.
    assert await harness.kind(second) == "signalled"
    await harness.dispatch(note("note.kept", "end", id=key))
    assert await harness.signals_received(key) == ["end"]
    assert await harness.kind(first) == "already-started"
    assert await harness.kind(second) == "signalled"
    assert await harness.runs(key) == 1


async def test_new_event_starts_the_next_run_after_the_last_has_ended(harness: DispatchHarness) -> None:
    """Looking at the latest run does not keep a new event from starting one."""
    key = new_key()
    await harness.kind(placed(key, kind="order.joined"))
    await harness.dispatch(note("note.kept", "end", id=key))
    await harness.signals_received(key)
    assert await harness.kind(placed(key, kind="order.joined")) == "started"


async def test_start_of_a_running_key_fails_where_the_trigger_says_so(harness: DispatchHarness) -> None:
    """Without a replay it is the error that it was."""
    key = new_key()
    await harness.kind(placed(key))
    with pytest.raises(RunExistsError):
        await harness.dispatch(placed(key, kind="order.unique"))


async def test_server_starts_a_second_run_for_a_late_signal_with_start(harness: DispatchHarness) -> None:
    """What the raw server does, on record: why a signal that may start looks at the latest run first."""
    key = new_key()
    encode = harness.client.data_converter.encode
    said: Any = [{"say": "x"}, {"event": {"type": "t", "data": {"say": "x"}}, "message_id": "m"}]
    message = SignalWithStartWorkflowExecutionRequest(
        namespace=harness.client.namespace,
        workflow_id=f"order/{key}",
        workflow_type=WorkflowType(name="order"),
        task_queue=TaskQueue(name=harness.queue),
        input=Payloads(payloads=await encode([placed(key).data])),
        signal_name="note",
        signal_input=Payloads(payloads=await encode(said)),
        request_id=str(uuid.uuid4()),
    )
    first = await harness.client.workflow_service.signal_with_start_workflow_execution(message)
    assert await harness.signals_received(key) == ["x"]
    late = await harness.client.workflow_service.signal_with_start_workflow_execution(message)
    assert late.run_id != first.run_id


async def test_server_takes_a_repeated_signal_of_an_ended_run_without_error(harness: DispatchHarness) -> None:
    """And refuses a new one: that tells a repetition from a new event after the end."""
    key = new_key()
    await harness.kind(placed(key))
    await signal_run(harness.client, f"order/{key}", "note", {"say": "x"}, event={"data": {"say": "x"}}, request_id="a")
    await harness.run(key).result()
    await signal_run(harness.client, f"order/{key}", "note", {"say": "x"}, request_id="a")
    with pytest.raises(RunNotFoundError):
        await signal_run(harness.client, f"order/{key}", "note", {"say": "x"}, request_id="b")


async def test_correlated_event_reaches_the_run_that_waits_for_it(harness: DispatchHarness) -> None:
    """It carries no key; the run is found by what its step published, and has it once."""
    key = new_key()
    await harness.kind(placed(key))
    await harness.kind(placed(new_key()))
    await published(harness, f"invoice=I-{key}")
    told = note("paid.kept", "paid", invoice=f"I-{key}")
    assert await harness.dispatch(told) == [Effect("signalled", f"order/{key}")]
    assert await harness.signals_received(key) == ["paid"]
    assert await harness.keeper.count() == 0


async def test_correlated_event_reaches_every_run_that_waits_for_it(harness: DispatchHarness) -> None:
    """Several runs may wait for one thing."""
    keys, invoice = [new_key(), new_key()], new_key()
    for key in keys:
        await harness.kind(placed(key, invoice=invoice))

    async def both() -> bool:
        return len(await correlated_runs(harness.client, "order", [f"invoice={invoice}"])) == 2

    await eventually(both)
    assert await harness.dispatch(note("paid.kept", "paid", invoice=invoice)) == [
        Effect("signalled", f"order?invoice={invoice}")
    ]
    assert [await harness.signals_received(key) for key in keys] == [["paid"], ["paid"]]


async def test_correlated_event_wants_all_fields(harness: DispatchHarness) -> None:
    """One field of two is not enough."""
    key = new_key()
    await harness.kind(placed(key))
    await published(harness, f"invoice=I-{key}")
    assert await harness.kind(note("paid.both", "x", invoice=f"I-{key}", payer="q")) == "dropped"
    assert await harness.kind(note("paid.both", "x", invoice=f"I-{key}", payer="p")) == "signalled"


@pytest.mark.parametrize(
    "value",
    [
        "it's",
        'a "b"',
        "back\\slash",
        "\\'",
        "' OR 1=1 --",
        "100%",
        "_",
        "ü\n\t",
        "\x00",
        "`;",
        "=&?",
        "x" * 5000,
        "日本",
    ],
)
async def test_correlation_takes_any_text(harness: DispatchHarness, value: str) -> None:
    """Quotation marks, controls and long texts are found, and nothing else is."""
    key, invoice = new_key(), f"{value}{new_key()}"
    await harness.kind(placed(key, invoice=invoice))
    await harness.kind(placed(new_key(), invoice=value))
    [dispatch] = route(note("paid.loose", "paid", invoice=invoice), ORDERS).dispatches
    await published(harness, dispatch.target.removeprefix("order?"))
    assert await harness.dispatch(note("paid.loose", "paid", invoice=invoice)) == [Effect("signalled", f"order/{key}")]


@pytest.mark.parametrize(("there", "asked"), [("ab-1", "AB-1"), ("a.b", "a b"), ("1", "1.5"), ("x", "x y")])
async def test_correlation_is_exact(harness: DispatchHarness, there: str, asked: str) -> None:
    """The store of the development server would find these: it compares words."""
    tail = new_key()
    await harness.kind(placed(new_key(), invoice=f"{tail}{there}"))
    await published(harness, f"invoice={tail}{there}")
    assert await harness.kind(note("paid.loose", "x", invoice=f"{tail}{asked}")) == "dropped"


@pytest.mark.parametrize(("published_as", "asked"), [(7, 7), (7, "7"), (True, True), (1.5, 1.5)])
async def test_correlation_compares_as_text(harness: DispatchHarness, published_as: Any, asked: Any) -> None:
    """A number and the text of it are the same."""
    payer, invoice = published_as, new_key()
    await harness.kind(placed(new_key(), invoice=invoice, payer=payer))
    await published(harness, f"invoice={invoice}")
    assert await harness.kind(note("paid.both", "x", invoice=invoice, payer=asked)) == "signalled"


async def test_correlated_event_that_comes_first_is_held_until_a_run_waits(harness: DispatchHarness) -> None:
    """Nobody waits yet; the keeper looks again."""
    key = new_key()
    [effect] = await harness.dispatch(note("paid.kept", "paid", invoice=f"I-{key}"))
    assert (effect.kind, effect.workflow_id) == ("held", f"order?invoice=I-{key}")


async def test_correlated_event_is_finished_for_the_same_runs_after_a_crash(harness: DispatchHarness) -> None:
    """A bridge that dies between signal and acknowledgement does not deliver the event to the next run that waits."""
    key, invoice = new_key(), new_key()
    await harness.kind(placed(key, invoice=invoice))
    await published(harness, f"invoice={invoice}")
    told = note("paid.kept", "paid", invoice=invoice)
    [dispatch] = route(told, ORDERS).dispatches
    # A bridge that dies here never settles: it is not in the log yet that the runs have their message.
    await harness.dispatcher.dispatch(dispatch, told, None)
    assert await harness.signals_received(key) == ["paid"]
    await harness.kind(placed(other := new_key(), invoice=invoice))
    assert await harness.kind(told) == "held"
    await harness.keeper.release(f"order?invoice={invoice}")
    assert [effect for _, effect in harness.delivered] == [Effect("signalled", f"order/{key}")]
    assert (await latest_run(harness.client, f"order/{other}")).is_running  # type: ignore[union-attr]  # it is there
    assert await harness.keeper.count() == 0
