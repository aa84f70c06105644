"""The list of actions and what others learn from it."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest

from activities.action import Action
from activities.registry import ACTIONS, catalog

SEED = {
    "validateAgentInput",
    "createAgentRecord",
    "rollbackAgentCreation",
    "initializeKnowledgeBase",
    "initializePatternStore",
    "sendCreationNotification",
}


def test_catalog_has_each_action_once() -> None:
    """Names are unique, and those of the seed are there."""
    names = [action.name for action in ACTIONS]
    assert sorted(catalog()) == sorted(set(names))
    assert len(names) == len(set(names))
    assert set(names) >= SEED


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_catalog_describes_each_action(action: Action[object, object]) -> None:  # type: ignore[type-var]  # any action
    """A summary in one sentence, and two schemas that are schemas and JSON."""
    spec = action.spec()
    assert spec.summary.endswith(".")
    for schema in (spec.input_schema, spec.output_schema):
        assert jsonschema_rs.meta.is_valid(json.loads(json.dumps(schema)))
    assert spec.attempt_timeout > 0


def test_catalog_says_what_runs_locally() -> None:
    """Only what has no effect outside and never waits."""
    assert {name for name, spec in catalog().items() if spec.local} == {
        "data.validate",
        "data.transform",
        "validateAgentInput",
    }


def test_catalog_uses_the_names_of_the_language() -> None:
    """`schema` and `amount` are called so, and an amount is a number."""
    assert "schema" in catalog()["data.validate"].input_schema["properties"]
    assert catalog()["payment.charge"].output_schema["properties"]["amount"]["type"] == "number"
