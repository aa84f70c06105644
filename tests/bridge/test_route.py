"""Routing: which triggers want an event, and what they ask for."""

from __future__ import annotations

import pytest

from bridge.dispatches import CancelDispatch, CorrelateDispatch, SignalDispatch, StartDispatch, request_id
from bridge.route import route
from contracts.json import Json
from tests.bridge.library import definition, event, library, on, template
from workflows.language.library import Library
from workflows.language.triggers import Cancel, Hold, Signal, Start

KEY = template("${ event.data.id }")


def _orders(*does: Start | Signal | Cancel) -> Library:
    return library(definition("order", *(on("order.*", one) for one in does)))


def test_route_without_a_fitting_trigger_is_unrouted() -> None:
    """An event that nobody wants is no error."""
    routing = route(event("stock.changed"), _orders(Start()))
    assert routing.is_unrouted


def test_route_starts_a_run_with_key_and_input() -> None:
    """Key and input are computed from the event."""
    does = Start(KEY, template({"total": "${ event.data.total * 2 }"}), "terminate")
    routing = route(event(data={"id": 7, "total": 21}), _orders(does))
    (dispatch,) = routing.dispatches
    assert isinstance(dispatch, StartDispatch)
    assert (dispatch.workflow_id, dispatch.key, dispatch.input) == ("order/7", "7", {"total": 42})
    assert dispatch.if_running == "terminate"


def test_route_starts_a_run_of_the_event_alone_where_there_is_no_key() -> None:
    """Without a key the event's id makes the workflow id, and its data is the input."""
    (dispatch,) = route(event(data={"a": 1}), _orders(Start())).dispatches
    assert isinstance(dispatch, StartDispatch)
    assert (dispatch.workflow_id, dispatch.key, dispatch.input) == ("order/evt-1", None, {"a": 1})


def test_route_takes_the_key_of_the_definition_where_the_trigger_has_none() -> None:
    """The definition's key is computed from the run's input."""
    keyed = definition(
        "order", on("#", Start(input=template({"ref": "${ event.data.id }"}))), key=template("${ input.ref }")
    )
    (dispatch,) = route(event(data={"id": "x"}), library(keyed)).dispatches
    assert dispatch.target == "order/x"


def test_route_signals_and_cancels() -> None:
    """A signal carries its data, a cancellation the reason."""
    does = Signal(KEY, "payment", template("${ event.data.sum }"), "drop"), Cancel(KEY, "dead-letter")
    signal, cancel = route(event(data={"id": "x", "sum": 3}), _orders(*does)).dispatches
    assert isinstance(signal, SignalDispatch)
    assert (signal.workflow_id, signal.name, signal.data, signal.if_missing) == ("order/x", "payment", 3, "drop")
    assert signal.start is None
    assert isinstance(cancel, CancelDispatch)
    assert (cancel.workflow_id, cancel.if_missing) == ("order/x", "dead-letter")
    assert "order.placed (evt-1)" in cancel.reason


def test_route_prepares_a_start_for_a_signal_that_may_find_no_run() -> None:
    """The start trigger of the same definition says what the input is; the signal says the key."""
    orders = library(
        definition(
            "order",
            on("payment.*", Signal(KEY, "payment", if_missing="start")),
            on("order.*", Start(template("other"), template("${ event.type }"))),
        )
    )
    (dispatch,) = route(event("payment.made", {"id": "x"}), orders).dispatches
    assert isinstance(dispatch, SignalDispatch)
    assert dispatch.start is not None
    assert (dispatch.start.workflow_id, dispatch.start.input) == ("order/x", "payment.made")
    assert dispatch.start.request_id != dispatch.request_id


def test_route_serves_every_trigger() -> None:
    """One event may start runs of several definitions."""
    two = library(definition("audit", on("#", Start())), definition("order", on("order.placed", Start())))
    assert route(event(), two).workflow_ids == ("audit/evt-1", "order/evt-1")


def test_route_counts_the_triggers_of_the_current_version_only() -> None:
    """An older version's triggers are not asked."""
    versions = library(definition("order", on("#", Start())), definition("order", on("none", Start()), version="2.0.0"))
    assert route(event(), versions).is_unrouted


@pytest.mark.parametrize(("total", "wanted"), [(1, True), (0, False)])
def test_route_asks_the_condition(total: int, wanted: bool) -> None:
    """A trigger whose `when` is false does not want the event."""
    orders = library(definition("order", on("#", Start(), when="event.data.total > 0")))
    assert route(event(data={"total": total}), orders).is_unrouted is not wanted


def test_route_names_the_trigger_that_fails_and_serves_the_others() -> None:
    """A failing expression is told with file, trigger and reason; the other trigger still has the event."""
    orders = library(definition("order", on("#", Start()), on("order.*", Start(KEY), when="event.data.total > 0")))
    routing = route(event(data={}), orders)
    assert [dispatch.target for dispatch in routing.dispatches] == ["order/evt-1"]
    (reason,) = routing.refusals
    assert reason.startswith("definitions/order.yaml, trigger 2 (on order.*): ")
    assert "total" in reason


@pytest.mark.parametrize("key", [None, True, 1.5, "", [], {}, "x" * 1000, "a\x00", "\ud800"])
def test_route_refuses_what_can_be_no_key(key: Json) -> None:
    """A key is a text or a whole number that fits into a workflow id."""
    routing = route(event(data={"id": key}), _orders(Start(KEY)))
    assert not routing.dispatches
    assert "`key`" in routing.refusals[0]


def test_route_refuses_a_condition_that_is_no_boolean() -> None:
    """A number is neither true nor false."""
    orders = library(definition("order", on("#", Start(), when="event.data.total")))
    assert "neither true nor false" in route(event(data={"total": 1}), orders).refusals[0]


def _correlated(**fields: str) -> Signal:
    return Signal(None, "paid", None, Hold(), template(dict(fields)))


def test_route_correlates_by_fields() -> None:
    """An event without a key is for the runs that wait for these fields; they are spelt in one way."""
    does = _correlated(order="${ event.data.o }", at="${ event.data.at }")
    (dispatch,) = route(event(data={"o": "A 1'", "at": 7}), _orders(does)).dispatches
    assert isinstance(dispatch, CorrelateDispatch)
    assert dispatch.entries == ("at=7", "order=A 1%27")
    assert (dispatch.target, dispatch.if_missing) == ("order?at=7&order=A 1%27", Hold())


@pytest.mark.parametrize("value", [None, "", [], {}, [1]])
def test_route_refuses_what_nobody_can_wait_for(value: Json) -> None:
    """An empty value would be for every run without one."""
    routing = route(event(data={"o": value}), _orders(_correlated(order="${ event.data.o }")))
    assert not routing.dispatches
    assert "`correlate.order`" in routing.refusals[0]


def test_route_carries_how_long_to_hold() -> None:
    """Signals and cancellations may be held; who asks is known by definition and trigger."""
    signal, cancel = route(
        event(data={"id": "x"}), _orders(Signal(KEY, "n", None, Hold()), Cancel(KEY, Hold()))
    ).dispatches
    assert isinstance(signal, SignalDispatch)
    assert isinstance(cancel, CancelDispatch)
    assert (signal.if_missing, cancel.if_missing) == (Hold(), Hold())
    assert (signal.asker.definition, signal.asker.trigger, cancel.asker.trigger) == ("order", 0, 1)


@pytest.mark.parametrize(
    ("does", "first"),
    [
        ([], None),
        ([Start()], None),
        ([Start(), Signal(KEY, "n")], "order/x"),
        ([_correlated(o="1"), Cancel(KEY)], "order/x"),
        ([Start(), _correlated(o="1")], "order?o=1"),
        ([Start(KEY)], "order/x"),
    ],
)
def test_routing_names_by_what_the_event_is_kept_in_order(
    does: list[Start | Signal | Cancel], first: str | None
) -> None:
    """The first run that is named by a key, else what it is correlated by; a run of the event alone needs no order."""
    assert route(event(data={"id": "x"}), _orders(*does)).first_key == first


def test_routing_names_all_that_is_done_one_at_a_time() -> None:
    """Runs that are named and correlations, each once; correlated runs are not known yet."""
    routing = route(event(data={"id": "x"}), _orders(Start(KEY), Signal(KEY, "n"), _correlated(o="1")))
    assert routing.targets == ("order/x", "order?o=1")
    assert routing.workflow_ids == ("order/x",)


def test_route_makes_other_requests_with_salt() -> None:
    """A replay that does everything again asks anew; the same replay repeated asks the same."""
    orders = _orders(Start(KEY), Signal(KEY, "n", if_missing="start"), Cancel(KEY), _correlated(o="1"))
    told = event(data={"id": "x"})
    plain, salted, again = (route(told, orders, salt).dispatches for salt in ("", "replay-1", "replay-1"))
    assert salted == again
    assert not {one.request_id for one in plain} & {one.request_id for one in salted}
    starts = [one.start.request_id for one in (plain[1], salted[1]) if isinstance(one, SignalDispatch) and one.start]
    assert len(set(starts)) == 2


def test_request_id_depends_on_event_definition_trigger_and_purpose() -> None:
    """The same event and trigger give the same id in every process; anything else another."""
    one = request_id("evt-1", "order", 0, "start")
    assert one == "52d3a301-02ab-52c0-8454-8d26720ece9c"
    others = {
        request_id("evt-2", "order", 0, "start"),
        request_id("evt-1", "orders", 0, "start"),
        request_id("evt-1", "order", 1, "start"),
        request_id("evt-1", "order", 0, "signal"),
        one,
    }
    assert len(others) == 5
