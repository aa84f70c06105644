"""`data.validate` and `data.transform`."""

from __future__ import annotations

from typing import Any

import pytest

from activities.data import data_transform, data_validate
from activities.resources import Resources
from tests.activities.carrying import carry_out, failure, problem

SCHEMA = {
    "type": "object",
    "required": ["email"],
    "properties": {"email": {"type": "string", "format": "email"}, "a/b": {"type": "integer"}},
}


async def test_validate_accepts_what_fits(outside: Resources) -> None:
    """Nothing to say."""
    output = await carry_out(data_validate, outside, {"schema": SCHEMA, "value": {"email": "a@b.c"}})
    assert output == {"valid": True, "errors": []}


async def test_validate_lists_every_mismatch(outside: Resources) -> None:
    """All are reported at once, with JSON pointers, and formats count."""
    given = {"schema": SCHEMA, "value": {"email": "nobody", "a/b": "x"}, "fail": False}
    output = await carry_out(data_validate, outside, given)
    assert output["valid"] is False
    assert sorted(entry["path"] for entry in output["errors"]) == ["/a~1b", "/email"]


async def test_validate_fails_unless_told_otherwise(outside: Resources) -> None:
    """The problem has the same list."""
    error = await failure(data_validate, outside, {"schema": SCHEMA, "value": {}})
    assert (error.type, error.non_retryable) == ("validation", True)
    assert problem(error)["errors"][0]["path"] == ""


async def test_validate_stops_at_a_hundred_mismatches(outside: Resources) -> None:
    """A list of a million wrong items does not make a report of a million lines."""
    given = {"schema": {"items": {"type": "string"}}, "value": list(range(1000)), "fail": False}
    assert len((await carry_out(data_validate, outside, given))["errors"]) == 100


@pytest.mark.parametrize(
    "schema",
    [{"type": "strong"}, {"$ref": "http://127.0.0.1:1/schema"}, {"$ref": "file:///etc/passwd"}, {"$ref": "#/no"}],
)
async def test_validate_refuses_what_is_no_schema(outside: Resources, schema: Any) -> None:
    """A wrong schema is a problem, and nothing is fetched from elsewhere."""
    error = await failure(data_validate, outside, {"schema": schema, "value": 1})
    assert (error.type, error.non_retryable) == ("validation", True)


async def test_validate_needs_linear_time_for_a_pattern(outside: Resources) -> None:
    """A pattern that makes other engines hang is answered at once."""
    given = {"schema": {"pattern": "^(a+)+$"}, "value": "a" * 50_000 + "!", "fail": False}
    assert (await carry_out(data_validate, outside, given))["valid"] is False


@pytest.mark.parametrize(
    ("given", "output"),
    [
        ({"value": [1, "a", None]}, [1, "a", None]),
        ({"value": {"a": 1, "b": 2}, "pick": ["b", "c"]}, {"b": 2}),
        ({"value": {"a": 1, "b": 2}, "omit": ["b"]}, {"a": 1}),
        ({"value": {"a": 1}, "rename": {"a": "z"}}, {"z": 1}),
        ({"value": {"a": None}, "defaults": {"a": 1, "b": 2}}, {"a": None, "b": 2}),
        ({"value": {"a": 1}, "merge": {"a": 2, "b": 3}}, {"a": 2, "b": 3}),
        ({"value": [{"a": 1, "b": 2}, {"a": 3}], "pick": ["a"]}, [{"a": 1}, {"a": 3}]),
        ({"value": {"a": 1}, "defaults": {"b": 2}, "rename": {"b": "c"}, "pick": ["c"]}, {"c": 2}),
    ],
)
async def test_transform_changes_members(outside: Resources, given: Any, output: Any) -> None:
    """Each operation, and their order."""
    assert await carry_out(data_transform, outside, given) == output


async def test_transform_refuses_operations_on_other_values(outside: Resources) -> None:
    """A number has no members."""
    error = await failure(data_transform, outside, {"value": [1], "pick": ["a"]})
    assert error.type == "validation"
