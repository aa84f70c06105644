"""The JSON Schema for editors: it takes what the compiler takes, and knows the keys of the language."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from tests.workflows.language.check import (
    test_arguments,
    test_compensations,
    test_cycles,
    test_expressions,
    test_known_steps,
    test_messages,
    test_parallels,
    test_reachable,
    test_schedules,
    test_schemas,
    test_start_inputs,
    test_timeouts,
)
from tests.workflows.language.check.checking import ACTIONS, Case, definition_of, text_of
from tests.workflows.language.check.test_rules import SEED
from tests.workflows.language.shipped import shipped_texts
from tests.workflows.language.test_fmt import ROUGH
from workflows.language.parse import keys
from workflows.language.schema import STEP_KEYS, definition_schema
from workflows.language.source import read_source
from workflows.language.tree import plain

_MODULES = (
    test_arguments, test_compensations, test_cycles, test_expressions, test_known_steps, test_messages, test_parallels,
    test_reachable, test_schedules, test_schemas, test_start_inputs, test_timeouts,
)  # fmt: skip
_RIGHT_CASES: list[Case] = [case for module in _MODULES for case in module.RIGHT]


def _errors(document: Any, schema: dict[str, Any]) -> list[str]:
    return [f"{error.instance_path} {error.message}" for error in jsonschema_rs.iter_errors(schema, document)]


def _document(text: str) -> Any:
    tree = read_source("x.yaml", text).tree
    assert tree is not None
    return plain(tree)


def test_schema_is_a_json_schema() -> None:
    """It is valid, with and without actions, and plain JSON."""
    for actions in (ACTIONS, {}):
        schema = definition_schema(actions)
        jsonschema_rs.Draft202012Validator(schema)
        assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("case", _RIGHT_CASES, ids=str)
def test_schema_takes_every_right_definition(case: Case) -> None:
    """What the rules let pass, the editor does not underline."""
    definition = definition_of(text_of(case.steps, case.head))
    assert _errors(plain(definition.tree), definition_schema(ACTIONS)) == []


def test_schema_takes_what_ships() -> None:
    """Every shipped definition fits; its actions are taken as they come."""
    for name, text in shipped_texts().items():
        assert (name, _errors(_document(text), definition_schema({}))) == (name, [])


def test_schema_takes_both_spellings() -> None:
    """Camel case keys are taken, as the compiler takes them."""
    assert _errors(SEED, definition_schema({})) == []
    assert _errors(_document(ROUGH), definition_schema({})) == []


def test_schema_knows_the_same_keys_as_the_parser() -> None:
    """No key is missing and none is too many."""
    schema = definition_schema(ACTIONS)
    assert _snake(schema) == set(keys.DEFINITION)
    step = schema["$defs"]["step"]
    assert _snake(step) == {key for names in keys.STEPS.values() for key in names}
    for rule in step["allOf"]:
        kind = rule["if"]["properties"].get("type", {}).get("const")
        if kind is not None:
            assert (kind, _snake(rule["then"])) == (kind, set(keys.STEPS[kind]))
    assert STEP_KEYS.keys() == keys.STEPS.keys()
    assert _snake(schema["$defs"]["trigger"]) == set(keys.TRIGGER)
    assert _snake(schema["$defs"]["retry"]) == set(keys.RETRY)
    assert _snake(schema["$defs"]["compensation"]) == set(keys.COMPENSATE)


def _snake(schema: dict[str, Any]) -> set[str]:
    return {name for name in schema["properties"] if name == name.lower()}


@pytest.mark.parametrize(
    "step",
    [
        {"id": "a", "action": "shop.qote"},
        {"id": "a", "action": "shop.quote", "with": {"skuu": "x"}},
        {"id": "a", "action": "shop.quote", "with": {"count": 1}},
        {"id": "a", "action": "shop.quote", "with": {"sku": "x", "count": "many"}},
        {"id": "a", "action": "shop.quote", "with": {"sku": "x", "buyer": {"nme": "x"}}},
        {"id": "a", "action": "shop.pay", "retri": {}},
        {"id": "a", "action": "shop.pay", "retry": {"attempts": -1}},
        {"id": "a", "type": "wait", "action": "shop.pay"},
        {"action": "shop.pay"},
    ],
)
def test_schema_underlines_mistakes(step: dict[str, Any]) -> None:
    """Misspelt actions, arguments and keys are found while typing."""
    assert _errors({"id": "x", "version": "1.0.0", "steps": [step]}, definition_schema(ACTIONS))


def test_schema_offers_actions_with_their_summaries() -> None:
    """An editor can list the actions and say what they do."""
    offered = definition_schema(ACTIONS)["$defs"]["action"]["anyOf"]
    assert [entry["const"] for entry in offered] == list(ACTIONS)
