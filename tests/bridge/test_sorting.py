"""Sorting: the key and the class of an event."""

from __future__ import annotations

import pytest

from bridge.route import Routing, route
from bridge.sorting import place
from bridge.topology.model import GroupRule, Topology
from contracts.envelope import Event
from contracts.json import Json
from tests.bridge.library import definition, event, library, on, template
from workflows.language.triggers import Start

RULES = (
    GroupRule("order.*", template("${ event.data.customer }")),
    GroupRule("#", template("${ event.data.anything }")),
)
ORDERS = library(definition("order", on("order.*", Start(template("${ event.data.id }")))))
NOWHERE = Routing(())


def _key(one: Event, routing: Routing = NOWHERE, topology: Topology | None = None) -> str:
    return place(one, 0, routing, topology or Topology(ordering=RULES)).key


def test_key_is_what_the_producer_says() -> None:
    """A group id comes before every rule."""
    assert _key(event(data={"customer": "c"}, metadata={"group_id": "g"})) == "g"


@pytest.mark.parametrize(("data", "key"), [({"customer": "c"}, "c"), ({"customer": 7}, "7")])
def test_key_is_what_the_first_rule_for_the_type_gives(data: Json, key: str) -> None:
    """A text or a whole number."""
    assert _key(event("order.placed", data)) == key


@pytest.mark.parametrize("data", [{}, {"customer": ""}, {"customer": True}, {"customer": [1]}, None])
def test_rule_that_gives_nothing_leaves_the_event_to_its_run(data: Json) -> None:
    """A rule that cannot be evaluated is no reason to lose the event."""
    one = event("order.placed", data)
    assert _key(one) == one.id


def test_key_without_a_rule_is_the_run_that_the_event_is_for() -> None:
    """So the events of one run stay in order without anybody's doing."""
    one = event("order.placed", {"id": "A1"})
    assert _key(one, route(one, ORDERS), Topology()) == "order/A1"


def test_event_for_no_run_has_a_key_of_its_own() -> None:
    """It has nothing to be in order with."""
    assert _key(event("nobody.cares"), NOWHERE, Topology()) == "evt-1"


def test_key_is_bounded() -> None:
    """A header of any length cannot be sent."""
    assert len(_key(event(metadata={"group_id": "ü" * 5_000})).encode()) <= 1_000


@pytest.mark.parametrize(
    ("priority", "name"), [(0, "low"), (3, "low"), (4, "normal"), (6, "normal"), (7, "high"), (9, "high")]
)
def test_class_follows_the_priority(priority: int, name: str) -> None:
    """Ten priorities, three classes."""
    assert place(event(), priority, NOWHERE, Topology()).priority_class == name
