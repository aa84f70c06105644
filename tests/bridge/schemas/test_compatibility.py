"""Compatibility of two schemas: the reasons for people, and the proof against another implementation."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from bridge.schemas.compatibility import Answer, compare, takes
from tests.bridge.schemas.strategies import data, pairs, sample

ORDER: dict[str, Any] = {
    "type": "object",
    "required": ["order_id"],
    "properties": {
        "order_id": {"type": "string", "minLength": 1},
        "total": {"type": "number", "minimum": 0},
        "state": {"enum": ["open", "paid"]},
        "items": {"type": "array", "maxItems": 10, "items": {"type": "object", "properties": {"sku": {}}}},
    },
}


def _order(name: str, schema: Any, **more: Any) -> dict[str, Any]:
    return {**ORDER, "properties": {**ORDER["properties"], name: schema}, **more}


def _reasons(answer: Answer) -> list[str]:
    return [answer.verdict, *answer.reasons("R", "W")]


def test_equal_schemas_are_compatible_in_both_directions() -> None:
    """Nothing changed, and what is said for people does not count."""
    result = compare(ORDER, {**ORDER, "title": "Order", "description": "As before."})
    assert (_reasons(result.new_reads_old), _reasons(result.old_reads_new)) == (["compatible"], ["compatible"])


@pytest.mark.parametrize(
    ("new", "new_reads_old", "old_reads_new"),
    [
        pytest.param(
            _order("total", {"type": "number", "minimum": 5}),
            ["incompatible", "/total: R demands at least 5, W allows less"],
            ["compatible"],
            id="a narrowed range",
        ),
        pytest.param(
            _order("note", {"type": "string"}),
            [
                "compatible with reservations",
                "/note: W does not name this member: data that has it all the same, and of another kind, does not fit",
            ],
            ["compatible"],
            id="a new optional member",
        ),
        pytest.param(
            _order("note", {"type": "string"}, required=["order_id", "note"]),
            ["incompatible", "/note: R demands this member, W lets it be left out"],
            ["compatible"],
            id="a new required member",
        ),
        pytest.param(
            {**ORDER, "required": []},
            ["compatible"],
            ["incompatible", "/order_id: R demands this member, W lets it be left out"],
            id="a member that is no longer required",
        ),
        pytest.param(
            _order("order_id", {"type": ["string", "integer"], "minLength": 1}),
            ["compatible"],
            ["incompatible", "/order_id: R takes no integer, W allows it"],
            id="a widened type",
        ),
        pytest.param(
            _order("order_id", {"type": "string", "minLength": 1, "pattern": "^A"}),
            ["incompatible", '/order_id: R demands the pattern "^A", W does not'],
            ["compatible"],
            id="a new pattern",
        ),
        pytest.param(
            _order("order_id", {"type": "string", "minLength": 1, "format": "uuid"}),
            ["incompatible", '/order_id: R demands the format "uuid", W does not'],
            ["compatible"],
            id="a new format",
        ),
        pytest.param(
            _order("order_id", {"type": "string", "minLength": 1, "maxLength": 36}),
            ["incompatible", "/order_id: R takes at most 36 characters, W allows more"],
            ["compatible"],
            id="a narrowed length",
        ),
        pytest.param(
            _order("state", {"enum": ["open", "paid", "{lost}"]}),
            ["compatible"],
            ["incompatible", '/state: R does not take "{lost}", W allows it'],
            id="a widened enumeration",
        ),
        pytest.param(
            {**ORDER, "additionalProperties": False},
            ["incompatible", "/*: R allows nothing here, W does"],
            ["compatible"],
            id="further members forbidden",
        ),
        pytest.param(
            _order("items", {"type": "array", "maxItems": 5, "items": {"type": "object", "required": ["sku"]}}),
            [
                "incompatible",
                "/items: R takes at most 5 elements, W allows more",
                "/items/*/sku: R demands this member, W lets it be left out",
            ],
            ["compatible"],
            id="inside a list",
        ),
        pytest.param(
            _order("total", {"type": "number", "minimum": 0, "not": {"const": 13}}),
            ["cannot be told", "/total: `not` differs"],
            ["compatible"],
            id="what cannot be judged",
        ),
        pytest.param(
            _order("items", {"$ref": "#/$defs/items"}, **{"$defs": {"items": ORDER["properties"]["items"]}}),
            ["compatible"],
            ["compatible"],
            id="the same behind a reference",
        ),
        pytest.param(
            _order("state", {"oneOf": [{"const": "open"}, {"type": "null"}]}),
            ["cannot be told", "/state: no single alternative of R takes all that W allows"],
            ["cannot be told", "/state: R does not take null, W allows it"],
            id="alternatives of different types",
        ),
    ],
)
def test_compare_says_what_breaks_in_which_direction(
    new: dict[str, Any], new_reads_old: list[str], old_reads_new: list[str]
) -> None:
    """The reasons stand at their place in the data."""
    result = compare(ORDER, new)
    assert (_reasons(result.new_reads_old), _reasons(result.old_reads_new)) == (new_reads_old, old_reads_new)


@pytest.mark.parametrize(
    ("writer", "reader", "verdict"),
    [
        (True, False, "incompatible"),
        (False, {"type": "string"}, "compatible"),
        ({"type": "integer"}, {"type": "number"}, "compatible"),
        ({"type": "integer", "exclusiveMinimum": 1.5}, {"minimum": 2}, "compatible"),
        ({"type": "integer", "exclusiveMaximum": 3}, {"exclusiveMaximum": 2.5}, "compatible"),
        ({"type": "number", "minimum": 2}, {"exclusiveMinimum": 2}, "incompatible"),
        ({"type": "integer"}, {"multipleOf": 1}, "compatible"),
        ({"multipleOf": 4, "type": "number"}, {"multipleOf": 2}, "compatible"),
        ({"const": 1.0}, {"enum": [1, 2]}, "compatible"),
        ({"const": True}, {"enum": [1]}, "incompatible"),
        ({"type": "boolean"}, {"enum": [True, False]}, "compatible"),
        ({"enum": ["aa", "bbb"]}, {"minLength": 2, "maxLength": 3}, "compatible"),
        ({"enum": ["aa", 7], "type": "string"}, {"type": "string"}, "compatible"),
        ({"enum": [[1]]}, {"items": {"type": "integer"}}, "cannot be told"),
        ({"type": "array", "maxItems": 1}, {"uniqueItems": True}, "compatible"),
        ({"type": "array", "maxItems": 0}, {"items": {"type": "null"}}, "compatible"),
        ({"type": "array"}, {"uniqueItems": True}, "incompatible"),
        ({"prefixItems": [{"type": "null"}], "type": "array"}, {"items": {"type": "null"}}, "incompatible"),
        ({"type": "array", "items": {"type": "null"}}, {"prefixItems": [{"type": "null"}]}, "compatible"),
        ({"type": "string"}, {"anyOf": [{"type": "null"}, {"type": "string"}]}, "compatible"),
        ({"type": ["string", "null"]}, {"anyOf": [{"type": "null"}, {"type": "string"}]}, "compatible"),
        ({"type": ["string", "null"]}, {"oneOf": [{"type": "null"}, {"type": "string"}]}, "compatible"),
        ({"type": "integer"}, {"oneOf": [{"minimum": 1}, {"maximum": 1}]}, "cannot be told"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, {"type": ["string", "null"]}, "compatible"),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, {"type": "null"}, "incompatible"),
        ({"oneOf": [{"type": "null"}, {"type": "integer"}]}, {"type": "null"}, "cannot be told"),
        ({"allOf": [{"minimum": 1}, {"type": "number"}]}, {"type": "number", "minimum": 0}, "compatible"),
        ({"if": {"type": "null"}, "then": False}, {"if": {"type": "null"}, "then": False}, "compatible"),
        ({}, {"if": {"type": "null"}, "then": False}, "cannot be told"),
        ({}, {"if": {"type": "null"}}, "compatible"),
        ({}, {"then": False}, "compatible"),
        ({"type": "array"}, {"contains": {"type": "null"}}, "cannot be told"),
        ({"type": "string"}, {"contains": {"type": "null"}}, "compatible"),
        ({"type": "object"}, {"unevaluatedProperties": False}, "cannot be told"),
        ({"type": "string", "format": "date"}, {"format": "time"}, "incompatible"),
        ({"type": "string", "pattern": "a"}, {"pattern": "b"}, "cannot be told"),
        ({"type": "string", "pattern": "a"}, {"pattern": "a", "type": "string"}, "compatible"),
        ({"type": "object", "required": ["a", "b"]}, {"minProperties": 2}, "compatible"),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"type": "object"}, "incompatible"),
        (
            {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
            {"maxProperties": 1, "properties": {"b": False}},
            "compatible",
        ),
        ({"type": "object", "patternProperties": {"^x": {}}}, {"patternProperties": {"^y": {}}}, "cannot be told"),
        (
            {"type": "object", "patternProperties": {"^x": {}}, "additionalProperties": False},
            {"patternProperties": {"^x": {}}, "additionalProperties": False, "required": []},
            "compatible",
        ),
        ({"type": "object"}, {"properties": {"a": {"type": "null"}}}, "incompatible"),
        (
            {"type": "object", "patternProperties": {"^x": {}}, "additionalProperties": {"type": "integer"}},
            {"properties": {"xa": {"type": "integer"}}},
            "incompatible",
        ),
        ({"type": "number"}, {"allOf": [{"minimum": 1}]}, "incompatible"),
        ({"type": "integer"}, {"anyOf": [{"type": "null"}, {"type": "string"}]}, "cannot be told"),
        ({}, {"$ref": "#missing"}, "cannot be told"),
        ({}, {"$dynamicRef": "#x"}, "cannot be told"),
        ({"$ref": "#"}, {"$ref": "#"}, "compatible"),
        ({"anyOf": [{"$ref": "#"}, {"type": "null"}]}, {"type": "null"}, "cannot be told"),
    ],
)
def test_takes_judges_each_keyword(writer: Any, reader: Any, verdict: str) -> None:
    """Each keyword by itself, where the verdict is plain to see."""
    assert takes(reader, writer).verdict == verdict


def test_takes_follows_schemas_that_contain_themselves() -> None:
    """A tree is compared with a tree, however deep."""

    def tree(value: Any) -> Any:
        child = {"type": "array", "items": {"$ref": "#"}}
        return {"type": "object", "properties": {"value": value, "children": child}, "additionalProperties": False}

    assert takes(tree({"type": "number"}), tree({"type": "integer"})).verdict == "compatible"
    assert takes(tree({"type": "integer"}), tree({"type": "number"})).verdict == "incompatible"


def test_takes_gives_up_on_too_many_alternatives() -> None:
    """A schema that would keep us busy for hours is not judged."""
    many = {"allOf": [{"anyOf": [{"minimum": n}, {"maximum": -n}, {"multipleOf": n}]} for n in range(2, 16)]}
    answer = takes({"type": "string", "minLength": 1}, many)
    assert not answer.is_safe


def _fits(schema: Any, value: Any) -> bool:
    return bool(Draft202012Validator(schema).is_valid(value))


def _named_only(schema: Any, value: Any) -> Any:
    """Return data without the members that the schema of its object does not name."""
    if not isinstance(schema, dict) or not isinstance(value, dict) or not schema.get("properties"):
        return value
    names = schema["properties"]
    return {name: _named_only(names[name], child) for name, child in value.items() if name in names}


SETTINGS = settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))


@SETTINGS
@given(pairs, st.integers(0, 2**32))
def test_a_compatible_schema_takes_all_that_the_other_allows(pair: tuple[Any, Any], seed: int) -> None:
    """Whatever another implementation says fits the writer's schema, fits the reader's."""
    writer, reader = pair
    verdict = takes(reader, writer).verdict
    event(verdict)
    if verdict == "compatible" and writer != reader:
        source = random.Random(seed)  # noqa: S311  # a test's own choice, given by its seed
        for _ in range(20):
            value = sample(writer, writer, source)
            assert not _fits(writer, value) or _fits(reader, value), value


@SETTINGS
@given(pairs)
def test_a_schema_takes_what_it_allows_itself(pair: tuple[Any, Any]) -> None:
    """Nothing is as compatible as the same."""
    assert takes(pair[0], pair[0]).verdict == "compatible"


TABLES = st.fixed_dictionaries(
    {
        "type": st.just("object"),
        "properties": st.dictionaries(
            st.sampled_from("abc"), st.sampled_from([{"type": "null"}, {"type": "integer"}, {"type": "string"}])
        ),
    }
)


@SETTINGS
@given(TABLES, TABLES, st.lists(data, min_size=5, max_size=15))
def test_reservations_speak_of_members_without_a_name_alone(writer: Any, reader: Any, samples: list[Any]) -> None:
    """What is compatible with reservations takes all data that has no members but the named ones."""
    if takes(reader, writer).verdict == "compatible with reservations":
        for value in samples:
            named = _named_only(writer, value)
            assert not _fits(writer, named) or _fits(reader, named)
