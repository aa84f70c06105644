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

from bridge.dispatches import StartDispatch
from bridge.holding import RunMissingError
from bridge.outcomes import Effect
from bridge.route import route
from store.database import Database
from tests.bridge.desk import ORDERS, Desk, fresh, note, open_desk, placed
from tests.bridge.waiting import eventually
from workflows.temporal.errors import RunExistsError, RunNotFoundError
from workflows.temporal.finding import correlated_runs, latest_run
from workflows.temporal.starting import StartRequest, signal_run, start_run


@pytest.fixture
async def desk(client: Client, database: Database) -> AsyncIterator[Desk]:
    """A desk of this test's own."""
    async with open_desk(client, database) as opened:
        yield opened


async def published(desk: Desk, *entries: str) -> None:
    """Wait until a run is found by these entries."""

    async def found() -> bool:
        return bool(await correlated_runs(desk.client, "order", entries))

    await eventually(found)


async def test_message_before_its_run_is_held_and_reaches_it_first(desk: Desk) -> None:
    """What came before the start is given to the run before anything that comes after it, in order."""
    key = fresh()
    assert await desk.kind(note("note.kept", "one", id=key)) == "held"
    assert await desk.kind(note("note.kept", "two", id=key)) == "held"
    assert await desk.kind(placed(key, notes=3)) == "started"
    assert await desk.keeper.count() == 0
    assert await desk.kind(note("note.kept", "three", id=key)) == "signalled"
    assert await desk.said(key) == ["one", "two", "three"]
    assert [effect for _, effect in desk.delivered] == [Effect("signalled", f"order/{key}")] * 2


async def test_message_queues_behind_what_is_held_although_the_run_is_there(desk: Desk) -> None:
    """A run that somebody else started gets its held messages first too."""
    key = fresh()
    await desk.kind(note("note.kept", "one", id=key))
    [definition] = ORDERS.current()
    data = placed(key, notes=2).data
    await start_run(desk.client, desk.queue, StartRequest(definition, data, key=key))
    assert await desk.kind(note("note.kept", "two", id=key)) == "held"
    await desk.keeper.release(f"order/{key}")
    assert await desk.said(key) == ["one", "two"]


async def test_held_message_says_until_when(desk: Desk) -> None:
    """The effect names the run and the end of waiting; a repeated event is held once."""
    told = note("note.kept", "one", id=fresh())
    [first], [second] = await desk.tell(told), await desk.tell(told)
    assert first.workflow_id == second.workflow_id == f"order/{told.data['id']}"  # type: ignore[call-overload, index]  # it is a map
    assert first.held_until is not None
    assert await desk.keeper.count() == 1


async def test_message_is_not_held_for_longer_than_its_event_is_of_use(desk: Desk) -> None:
    """An event that expires earlier than the trigger's time ends the waiting."""
    soon = datetime.now(UTC) + timedelta(minutes=1)
    told = replace(note("note.kept", "one", id=fresh()), expires_at=soon)
    [effect] = await desk.tell(told)
    assert effect.held_until == soon


async def test_cancellation_before_its_run_is_held(desk: Desk) -> None:
    """A run that is cancelled before it is started is cancelled then."""
    key = fresh()
    assert await desk.kind(note("order.ended", "", id=key)) == "held"
    await desk.kind(placed(key))
    assert [effect.kind for _, effect in desk.delivered] == ["cancelled"]


async def test_cancellation_of_a_run_that_has_ended_is_not_held(desk: Desk) -> None:
    """It does nothing, and does not meet the next run with this key."""
    key = fresh()
    await desk.kind(placed(key))
    await desk.kind(note("note.kept", "end", id=key))
    await desk.said(key)
    assert await desk.kind(note("order.ended", "", id=key)) == "cancelled"
    assert await desk.keeper.count() == 0


async def test_many_starts_at_once_deliver_what_is_held(desk: Desk) -> None:
    """More than the pool has connections, each of which is needed twice."""
    keys = [fresh() for _ in range(30)]
    for say in ("one", "two", "three"):
        await asyncio.gather(*(desk.kind(note("note.kept", say, id=key)) for key in keys))
    started = await asyncio.gather(*(desk.kind(placed(key, notes=3)) for key in keys))
    assert set(started) == {"started"}
    assert await desk.keeper.count() == 0
    assert [await desk.said(key) for key in keys] == [["one", "two", "three"]] * len(keys)


@pytest.mark.parametrize("kind", ["note.strict", "paid.strict"])
async def test_missing_run_is_an_error_where_the_trigger_does_not_hold(desk: Desk, kind: str) -> None:
    """Nothing is kept."""
    with pytest.raises((RunNotFoundError, RunMissingError)):
        await desk.tell(note(kind, "x", id=fresh(), invoice=fresh()))
    assert await desk.keeper.count() == 0


@pytest.mark.parametrize("kind", ["note.loose", "paid.loose"])
async def test_missing_run_is_no_error_where_the_trigger_drops(desk: Desk, kind: str) -> None:
    """It is told, and nothing is kept."""
    assert await desk.kind(note(kind, "x", id=fresh(), invoice=fresh())) == "dropped"
    assert await desk.keeper.count() == 0


async def test_two_triggers_make_two_signals_of_one_event(desk: Desk) -> None:
    """The run does not take the second for a repetition of the first."""
    key = fresh()
    await desk.kind(placed(key, notes=2))
    told = note("note.double", "one", id=key)
    assert [effect.kind for effect in await desk.tell(told)] == ["signalled", "signalled"]
    await desk.tell(told)
    assert await desk.said(key) == ["one", "twin"]


async def test_replay_with_salt_is_another_message(desk: Desk) -> None:
    """A replay that does everything again is not dropped by Temporal, nor by the run."""
    key = fresh()
    await desk.kind(placed(key, notes=2))
    told = note("note.kept", "one", id=key)
    for salt in ("", "", "replay-1", "replay-1"):
        await desk.tell(told, salt=salt)
    assert await desk.said(key) == ["one", "one"]


@pytest.mark.parametrize(
    ("kind", "recorded", "effect"),
    [
        ("order.placed", "started", "already-started"),
        ("note.kept", "signalled", "signalled"),
        ("order.ended", "cancelled", "cancelled"),
        ("note.loose", "dropped", "dropped"),
    ],
)
async def test_what_is_on_record_is_not_done_again(desk: Desk, kind: str, recorded: str, effect: str) -> None:
    """A dispatch found in the log comes back as what it was."""
    key = fresh()
    told = note(kind, "x", id=key)
    [dispatch] = route(told, ORDERS).dispatches
    done = {dispatch.request_id: {"kind": recorded, "workflow_id": "order/w", "run_id": "r"}}
    [found] = await desk.tell(told, done=done)
    assert found == Effect(effect, "order/w", "r")  # type: ignore[arg-type]  # one of the words
    assert await latest_run(desk.client, f"order/{key}") is None
    assert await desk.keeper.count() == 0


async def test_message_that_was_given_up_is_sent_when_its_event_comes_again(desk: Desk) -> None:
    """On record as held it is not held twice; once nobody keeps it any more, a replay delivers it."""
    key = fresh()
    told = note("note.kept", "one", id=key)
    [dispatch] = route(told, ORDERS).dispatches
    done: dict[str, Any] = {dispatch.request_id: {"kind": "held", "workflow_id": f"order/{key}", "run_id": None}}
    await desk.kind(told)
    assert await desk.kind(told, done=done, replayed=True) == "held"
    assert await desk.keeper.count() == 1
    await desk.keeper.forget(dispatch.request_id)
    await desk.kind(placed(key, notes=1))
    assert await desk.kind(told, done=done, replayed=True) == "signalled"
    assert await desk.said(key) == ["one"]


async def test_record_of_another_request_does_not_count(desk: Desk) -> None:
    """Only what this dispatch did keeps it from being done."""
    key = fresh()
    done: dict[str, Any] = {"other": {"kind": "started", "workflow_id": "w", "run_id": "r"}}
    assert await desk.kind(placed(key), done=done) == "started"


@pytest.mark.parametrize("kind", ["order.placed", "order.joined", "order.renewed", "order.unique"])
async def test_replay_never_starts_what_ran_already(desk: Desk, kind: str) -> None:
    """Also when the run has ended, and whatever the trigger says of a running one."""
    key = fresh()
    await desk.kind(placed(key))
    running = (await desk.run(key).describe()).run_id
    replayed = placed(key, kind=kind)
    assert await desk.kind(replayed, replayed=True) == ("signalled" if kind == "order.joined" else "already-started")
    await desk.tell(note("note.kept", "end", id=key))
    assert await desk.said(key) == ["end"]
    assert await desk.kind(placed(key, kind=kind), replayed=True) == "already-started"
    assert (await desk.run(key).describe()).run_id == running


async def test_replay_starts_what_never_ran(desk: Desk) -> None:
    """A replayed event does what it has not done."""
    assert await desk.kind(placed(fresh()), replayed=True) == "started"


async def test_start_that_may_signal_starts_then_signals(desk: Desk) -> None:
    """The first event starts, the second is the signal; each repeated changes nothing, also when the run is over."""
    key = fresh()
    first, second = placed(key, kind="order.joined"), placed(key, kind="order.joined")
    start = [dispatch for dispatch in route(second, ORDERS).dispatches if isinstance(dispatch, StartDispatch)]
    assert start[0].if_running == "signal"
    assert await desk.kind(first) == "started"
    assert await desk.kind(first) == "already-started"
    # The run waits for a signal `note`; the event comes as a signal named after its type.
    assert await desk.kind(second) == "signalled"
    await desk.tell(note("note.kept", "end", id=key))
    assert await desk.said(key) == ["end"]
    assert await desk.kind(first) == "already-started"
    assert await desk.kind(second) == "signalled"
    assert await desk.runs(key) == 1


async def test_new_event_starts_the_next_run_after_the_last_has_ended(desk: Desk) -> None:
    """Looking at the latest run does not keep a new event from starting one."""
    key = fresh()
    await desk.kind(placed(key, kind="order.joined"))
    await desk.tell(note("note.kept", "end", id=key))
    await desk.said(key)
    assert await desk.kind(placed(key, kind="order.joined")) == "started"


async def test_start_of_a_running_key_fails_where_the_trigger_says_so(desk: Desk) -> None:
    """Without a replay it is the error that it was."""
    key = fresh()
    await desk.kind(placed(key))
    with pytest.raises(RunExistsError):
        await desk.tell(placed(key, kind="order.unique"))


async def test_server_starts_a_second_run_for_a_late_signal_with_start(desk: Desk) -> None:
    """What the raw server does, on record: why a signal that may start looks at the latest run first."""
    key = fresh()
    encode = desk.client.data_converter.encode
    said: Any = [{"say": "x"}, {"event": {"type": "t", "data": {"say": "x"}}, "message_id": "m"}]
    message = SignalWithStartWorkflowExecutionRequest(
        namespace=desk.client.namespace,
        workflow_id=f"order/{key}",
        workflow_type=WorkflowType(name="order"),
        task_queue=TaskQueue(name=desk.queue),
        input=Payloads(payloads=await encode([placed(key).data])),
        signal_name="note",
        signal_input=Payloads(payloads=await encode(said)),
        request_id=str(uuid.uuid4()),
    )
    first = await desk.client.workflow_service.signal_with_start_workflow_execution(message)
    assert await desk.said(key) == ["x"]
    late = await desk.client.workflow_service.signal_with_start_workflow_execution(message)
    assert late.run_id != first.run_id


async def test_server_takes_a_repeated_signal_of_an_ended_run_without_error(desk: Desk) -> None:
    """And refuses a new one: that tells a repetition from a new event after the end."""
    key = fresh()
    await desk.kind(placed(key))
    await signal_run(desk.client, f"order/{key}", "note", {"say": "x"}, event={"data": {"say": "x"}}, request_id="a")
    await desk.run(key).result()
    await signal_run(desk.client, f"order/{key}", "note", {"say": "x"}, request_id="a")
    with pytest.raises(RunNotFoundError):
        await signal_run(desk.client, f"order/{key}", "note", {"say": "x"}, request_id="b")


async def test_correlated_event_reaches_the_run_that_waits_for_it(desk: Desk) -> None:
    """It carries no key; the run is found by what its step published, and has it once."""
    key = fresh()
    await desk.kind(placed(key))
    await desk.kind(placed(fresh()))
    await published(desk, f"invoice=I-{key}")
    told = note("paid.kept", "paid", invoice=f"I-{key}")
    assert await desk.tell(told) == [Effect("signalled", f"order/{key}")]
    assert await desk.said(key) == ["paid"]
    assert await desk.keeper.count() == 0


async def test_correlated_event_reaches_every_run_that_waits_for_it(desk: Desk) -> None:
    """Several runs may wait for one thing."""
    keys, invoice = [fresh(), fresh()], fresh()
    for key in keys:
        await desk.kind(placed(key, invoice=invoice))

    async def both() -> bool:
        return len(await correlated_runs(desk.client, "order", [f"invoice={invoice}"])) == 2

    await eventually(both)
    assert await desk.tell(note("paid.kept", "paid", invoice=invoice)) == [
        Effect("signalled", f"order?invoice={invoice}")
    ]
    assert [await desk.said(key) for key in keys] == [["paid"], ["paid"]]


async def test_correlated_event_wants_all_fields(desk: Desk) -> None:
    """One field of two is not enough."""
    key = fresh()
    await desk.kind(placed(key))
    await published(desk, f"invoice=I-{key}")
    assert await desk.kind(note("paid.both", "x", invoice=f"I-{key}", payer="q")) == "dropped"
    assert await desk.kind(note("paid.both", "x", invoice=f"I-{key}", payer="p")) == "signalled"


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
async def test_correlation_takes_any_text(desk: Desk, value: str) -> None:
    """Quotation marks, controls and long texts are found, and nothing else is."""
    key, invoice = fresh(), f"{value}{fresh()}"
    await desk.kind(placed(key, invoice=invoice))
    await desk.kind(placed(fresh(), invoice=value))
    [dispatch] = route(note("paid.loose", "paid", invoice=invoice), ORDERS).dispatches
    await published(desk, dispatch.target.removeprefix("order?"))
    assert await desk.tell(note("paid.loose", "paid", invoice=invoice)) == [Effect("signalled", f"order/{key}")]


@pytest.mark.parametrize(("there", "asked"), [("ab-1", "AB-1"), ("a.b", "a b"), ("1", "1.5"), ("x", "x y")])
async def test_correlation_is_exact(desk: Desk, there: str, asked: str) -> None:
    """The store of the development server would find these: it compares words."""
    tail = fresh()
    await desk.kind(placed(fresh(), invoice=f"{tail}{there}"))
    await published(desk, f"invoice={tail}{there}")
    assert await desk.kind(note("paid.loose", "x", invoice=f"{tail}{asked}")) == "dropped"


@pytest.mark.parametrize(("published_as", "asked"), [(7, 7), (7, "7"), (True, True), (1.5, 1.5)])
async def test_correlation_compares_as_text(desk: Desk, published_as: Any, asked: Any) -> None:
    """A number and the text of it are the same."""
    payer, invoice = published_as, fresh()
    await desk.kind(placed(fresh(), invoice=invoice, payer=payer))
    await published(desk, f"invoice={invoice}")
    assert await desk.kind(note("paid.both", "x", invoice=invoice, payer=asked)) == "signalled"


async def test_correlated_event_that_comes_first_is_held_until_a_run_waits(desk: Desk) -> None:
    """Nobody waits yet; the keeper looks again."""
    key = fresh()
    [effect] = await desk.tell(note("paid.kept", "paid", invoice=f"I-{key}"))
    assert (effect.kind, effect.workflow_id) == ("held", f"order?invoice=I-{key}")


async def test_correlated_event_is_finished_for_the_same_runs_after_a_crash(desk: Desk) -> None:
    """A bridge that dies between signal and acknowledgement does not give the event to whoever waits next."""
    key, invoice = fresh(), fresh()
    await desk.kind(placed(key, invoice=invoice))
    await published(desk, f"invoice={invoice}")
    told = note("paid.kept", "paid", invoice=invoice)
    [dispatch] = route(told, ORDERS).dispatches
    # Whoever dies here never settles: it is not in the log yet that the runs have their message.
    await desk.dispatcher.dispatch(dispatch, told, None)
    assert await desk.said(key) == ["paid"]
    await desk.kind(placed(other := fresh(), invoice=invoice))
    assert await desk.kind(told) == "held"
    await desk.keeper.release(f"order?invoice={invoice}")
    assert [effect for _, effect in desk.delivered] == [Effect("signalled", f"order/{key}")]
    assert (await latest_run(desk.client, f"order/{other}")).is_running  # type: ignore[union-attr]  # it is there
    assert await desk.keeper.count() == 0
