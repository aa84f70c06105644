"""Events and rollouts: whose triggers count, and which version an event starts."""

from __future__ import annotations

from bridge.dispatches import StartDispatch
from bridge.route import route
from tests.bridge.library import definition, event, library, on, template
from workflows.language.library import Library
from workflows.language.triggers import Hold, Signal, Start

KEY = template("${ event.data.id }")
OLD = definition("order", on("order.placed", Start(KEY)), on("order.paid", Signal(KEY, "paid", if_missing=Hold())))
NEW = definition("order", on("order.placed", Start(KEY)), on("order.lost", Start(KEY)), version="2.0.0")


def rolled(percent: float) -> Library:
    """Both versions, of which the newer takes this percentage."""
    return library(OLD, NEW).with_percentages({("order", "2.0.0"): percent})


def started(found: Library, key: str, kind: str = "order.placed") -> StartDispatch | None:
    """Return what an event with this key starts."""
    dispatches = route(event(kind, data={"id": key}), found).dispatches
    (dispatch,) = dispatches or (None,)
    assert dispatch is None or isinstance(dispatch, StartDispatch)
    return dispatch


def test_event_starts_the_version_that_takes_its_key() -> None:
    """The key decides, each time alike; nothing and everything are exact."""
    versions = {key: start.definition.version for key in map(str, range(200)) if (start := started(rolled(50), key))}
    assert 60 < list(versions.values()).count("2.0.0") < 140
    for key, version in versions.items():
        again = started(rolled(50), key)
        assert again is not None
        assert again.definition.version == version
    for percent, version in ((0, "1.0.0"), (100, "2.0.0")):
        only = {start.definition.version for key in versions if (start := started(rolled(percent), key))}
        assert only == {version}


def test_triggers_are_those_of_the_leading_version() -> None:
    """A new trigger counts once its version takes everything; what may wait for a run is the same rule's."""
    assert started(rolled(50), "x", "order.lost") is None
    lost = started(rolled(100), "x", "order.lost")
    assert lost is not None
    assert lost.definition.version == "2.0.0"
    starts = [start for key in map(str, range(50)) if (start := started(rolled(50), key))]
    assert {(start.definition.version, start.held_for) for start in starts} == {("1.0.0", True), ("2.0.0", True)}


def test_request_does_not_depend_on_the_rollout() -> None:
    """A repeated event makes the same request after a rollback, so it finds the run that it started."""
    before, after = started(rolled(100), "x"), started(rolled(0), "x")
    assert before is not None
    assert after is not None
    assert (before.request_id, before.workflow_id) == (after.request_id, after.workflow_id)
