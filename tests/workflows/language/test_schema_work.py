"""Schemas that would freeze whoever asks them something are refused where they are read."""

from __future__ import annotations

import time
from typing import Any

import jsonschema_rs
import pytest

from workflows.language.json_schema import SchemaTooCostlyError, validator_of
from workflows.language.schema_work import MOST_APPLICATIONS, too_much_work

Schema = dict[str, Any]


def doubled(levels: int, keyword: str = "allOf", inside: str | None = None) -> Schema:
    """A chain of definitions, each of which refers twice to the next, in place or through what leads deeper."""

    def twice(number: int) -> Schema:
        both = {keyword: [{"$ref": f"#/$defs/d{number}"}, {"$ref": f"#/$defs/d{number}"}]}
        return {inside: both} if inside else both

    definitions = {f"d{number}": twice(number + 1) for number in range(levels)} | {f"d{levels}": {"type": "string"}}
    return {"$defs": definitions, "$ref": "#/$defs/d0"}


COSTLY: dict[str, Schema] = {
    "doubled in allOf": doubled(40),
    "doubled in anyOf": doubled(40, "anyOf"),
    "doubled in oneOf": doubled(40, "oneOf"),
    "doubled in items": doubled(40, inside="items"),
    "doubled in additionalProperties": doubled(40, inside="additionalProperties"),
    "doubled in itself": {
        "$defs": {"n": {"items": {"allOf": [{"$ref": "#/$defs/n"}, {"$ref": "#/$defs/n"}]}}},
        "$ref": "#/$defs/n",
    },
    "doubled by an anchor": {
        "$defs": {"n": {"$anchor": "n", "items": {"allOf": [{"$ref": "#n"}, {"$ref": "#n"}]}}},
        "$ref": "#n",
    },
    "doubled by if": {
        "$defs": {"n": {"contains": {"if": {"$ref": "#/$defs/n"}, "then": {"$ref": "#/$defs/n"}}}},
        "$ref": "#/$defs/n",
    },
    "itself in place": {"$defs": {"n": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/n"}]}}, "$ref": "#/$defs/n"},
}
SOUND: dict[str, Schema] = {
    "nothing": {},
    "a tree": {"$defs": {"n": {"items": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"},
    "a tree with names": {
        "$defs": {
            "n": {"type": "object", "properties": {"left": {"$ref": "#/$defs/n"}, "right": {"$ref": "#/$defs/n"}}}
        },
        "$ref": "#/$defs/n",
    },
    "a hundred alternatives": {"oneOf": [{"const": n} for n in range(100)]},
    "many members": {"properties": {f"p{n}": {"properties": {"x": {"type": "string"}}} for n in range(2000)}},
    "doubled a few times": doubled(8),
}


@pytest.mark.parametrize("name", list(COSTLY))
def test_schema_that_causes_too_much_work_is_refused(name: str) -> None:
    """In the time that reading it takes."""
    began = time.thread_time()
    with pytest.raises(SchemaTooCostlyError):
        validator_of(COSTLY[name])
    assert time.thread_time() - began < 10


@pytest.mark.parametrize("name", [name for name in SOUND if name != "a tree with names"])
def test_schema_as_people_write_it_is_taken(name: str) -> None:
    """Trees, alternatives, many members."""
    assert too_much_work(SOUND[name]) is None
    validator_of(SOUND[name])


def test_members_of_different_names_are_not_one_part_of_a_value() -> None:
    """A binary tree applies its definition once to each part, whichever member leads there."""
    schema = SOUND["a tree with names"]
    assert too_much_work(schema) is None
    value: Any = {}
    for _ in range(15):
        value = {"left": value, "right": {}}
    assert validator_of(schema).is_valid(value)


def test_what_is_taken_is_not_applied_more_often_than_counted() -> None:
    """The limit is of the right size: what is just taken is asked in no time."""
    schema = doubled(11)
    assert MOST_APPLICATIONS > 2**12
    assert too_much_work(schema) is None
    began = time.thread_time()
    assert not validator_of(schema).is_valid(1)
    assert time.thread_time() - began < 10


@pytest.mark.parametrize("pattern", ["(?=a)b", "(?<!x)y", r"(a)\1"])
def test_pattern_that_needs_backtracking_is_refused(pattern: str) -> None:
    """Look-around and back-references."""
    with pytest.raises(jsonschema_rs.ValidationError):
        validator_of({"pattern": pattern})


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)*$", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_patterns_are_matched_in_linear_time(pattern: str) -> None:
    """What takes a backtracking engine for ever."""
    began = time.thread_time()
    assert not validator_of({"pattern": pattern}).is_valid("a" * 100_000 + "!")
    assert time.thread_time() - began < 10
