"""What the arguments of a run mean."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from workflows.engine.commands import Complete
from workflows.engine.events import Slice
from workflows.temporal.arguments import (
    ArgumentsRefusedError,
    continuation,
    read_arguments,
    slice_arguments,
    slice_result,
)

PART = Slice("loop", "p/", 2, [1, 2], {"a": {"output": 1}}, {"item": 3}, {"v": 4})


@pytest.mark.parametrize(
    ("values", "given"), [([], {}), ([None], None), ([{"$saga": {"state": {}}}], {"$saga": {"state": {}}})]
)
def test_one_argument_is_the_input(values: list[Any], given: Any) -> None:
    """No argument is `{}`, one is itself, whatever it looks like."""
    for continued, child in ((False, False), (True, True)):
        arguments = read_arguments(values, continued=continued, child=child)
        assert (arguments.input, arguments.state, arguments.slice) == (given, None, None)


def test_continuation_carries_the_state() -> None:
    """What continue-as-new wrote is read by the execution that follows."""
    arguments = read_arguments(continuation({"n": 1}, {"phase": "running"}), continued=True, child=False)
    assert (arguments.input, arguments.state) == ({"n": 1}, {"phase": "running"})


def test_large_state_is_packed() -> None:
    """A state that Temporal would not take as it is goes over much smaller, and comes out the same."""
    state: dict[str, Any] = {
        "mailbox": [{"name": "tick", "data": {"number": n, "text": "ü" * 20}} for n in range(20_000)]
    }
    carried = continuation({"n": 1}, state)
    assert len(json.dumps(carried)) < len(json.dumps(state)) / 5
    assert read_arguments(carried, continued=True, child=False).state == state


def test_slice_is_read_by_the_child() -> None:
    """What a parent gave is read by its child, as the same value."""
    values = slice_arguments({"n": 1}, asdict(PART))
    arguments = read_arguments(values, continued=False, child=True)
    assert (arguments.input, arguments.slice) == ({"n": 1}, PART)


@pytest.mark.parametrize("second", [{"$saga": {"state": {}}}, {"$saga": 5}, {}, None, 1])
def test_carried_state_is_believed_only_from_ourselves(second: Any) -> None:
    """A person who gives two arguments is refused, whatever the second looks like."""
    with pytest.raises(ArgumentsRefusedError, match="got 2"):
        read_arguments([{}, second], continued=False, child=False)


@pytest.mark.parametrize("second", [{"$saga": 5}, {}, None])
def test_two_arguments_of_another_form_are_refused_everywhere(second: Any) -> None:
    """A parent written by hand, or Temporal's cron, does not get by with two arguments either."""
    with pytest.raises(ArgumentsRefusedError):
        read_arguments([{}, second], continued=True, child=True)


def test_slice_result_has_what_undoes_it() -> None:
    """The parent gets the results and the armed compensations."""
    assert slice_result(Complete([1, 2], ({"path": "a"},))) == {"result": [1, 2], "armed": [{"path": "a"}]}
