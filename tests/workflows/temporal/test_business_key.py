"""The business key that a definition makes of the input."""

from __future__ import annotations

import pytest

from contracts.json import Json
from tests.workflows.temporal.plans import act, plan, template
from workflows.temporal.business_key import KeyRefusedError, business_key


@pytest.mark.parametrize(("value", "key"), [("abc", "abc"), (7, "7"), (1.5, "1.5")])
def test_key_is_text_or_a_number(value: Json, key: str) -> None:
    """The key's value is made text."""
    assert business_key(plan("p", act("a"), key=template("${ input.k }")), {"k": value}) == key


@pytest.mark.parametrize("value", ["", None, True, [1], {"a": 1}])
def test_other_values_are_refused(value: Json) -> None:
    """What makes no key is refused before anything starts."""
    with pytest.raises(KeyRefusedError, match="neither text nor a number"):
        business_key(plan("p", act("a"), key=template("${ input.k }")), {"k": value})


@pytest.mark.parametrize("key", ["${ vars.k }", "${ steps.a.output }", "${ uuid() }"])
def test_key_sees_the_input_alone(key: str) -> None:
    """A run that does not exist yet has no variables, steps or uuids."""
    with pytest.raises(KeyRefusedError):
        business_key(plan("p", act("a"), key=template(key)), {})


def test_plan_without_a_key_makes_none() -> None:
    """Without `key` the caller names the run."""
    assert business_key(plan("p", act("a")), {}) is None
