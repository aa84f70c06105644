"""`data.validate` and `data.transform`: work on values, without any effect."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final

import jsonschema_rs
from pydantic import BaseModel, ConfigDict, Field, RootModel

from activities.action import Call, action
from activities.problems import PermanentProblemError
from contracts.json import Json
from contracts.problems import VALIDATION, Problem
from workflows.language.json_schema import validator_of

MOST_ERRORS: Final = 100


class DataValidate(BaseModel):
    """What `data.validate` takes."""

    model_config = ConfigDict(extra="forbid")

    value: Any
    schema_: dict[str, Any] | bool = Field(alias="schema", description="JSON Schema 2020-12.")
    fail: bool = Field(True, description="Whether a value that does not fit is a `validation` problem.")


class Mismatch(BaseModel):
    """One place where a value does not fit."""

    path: str = Field(description="JSON pointer into the value.")
    message: str


class DataValidated(BaseModel):
    """What `data.validate` gives."""

    valid: bool
    errors: list[Mismatch]


@action("data.validate", local=True)
async def data_validate(given: DataValidate, call: Call) -> DataValidated:
    """Check a value against a JSON Schema."""
    errors = _mismatches(given.schema_, given.value)
    if errors and given.fail:
        raise _does_not_fit(errors)
    return DataValidated(valid=not errors, errors=errors)


class DataTransform(BaseModel):
    """What `data.transform` takes: a value, and what is done to it, in this order.

    The operations are for an object or for each object of a list; without any the value is returned as its
    expressions made it.
    """

    model_config = ConfigDict(extra="forbid")

    value: Any
    defaults: dict[str, Any] = Field(default_factory=dict, description="Members that are added where they are absent.")
    merge: dict[str, Any] = Field(default_factory=dict, description="Members that are set.")
    rename: dict[str, str] = Field(default_factory=dict, description="New name by old name.")
    pick: list[str] | None = Field(None, description="Members that are kept.")
    omit: list[str] = Field(default_factory=list, description="Members that are left out.")


class DataTransformed(RootModel[Any]):
    """What `data.transform` gives: the value."""


@action("data.transform", local=True)
async def data_transform(given: DataTransform, call: Call) -> DataTransformed:
    """Make a value of another: defaults, merge, rename, pick and omit members."""
    if not given.model_fields_set - {"value"}:
        return DataTransformed(given.value)
    return DataTransformed(_each(given.value, lambda members: _transformed(members, given)))


def _each(value: Json, change: Callable[[dict[str, Json]], dict[str, Json]]) -> Json:
    match value:
        case dict():
            return change(value)
        case list() if all(isinstance(item, dict) for item in value):
            return [change(item) for item in value if isinstance(item, dict)]
    detail = "`defaults`, `merge`, `rename`, `pick` and `omit` are for an object or a list of objects."
    raise PermanentProblemError(Problem(VALIDATION, "The value is no object", 422, detail))


def _transformed(members: dict[str, Json], given: DataTransform) -> dict[str, Json]:
    merged = given.defaults | members | given.merge
    renamed = {given.rename.get(name, name): value for name, value in merged.items()}
    if given.pick is not None:
        renamed = {name: renamed[name] for name in given.pick if name in renamed}
    return {name: value for name, value in renamed.items() if name not in given.omit}


def _mismatches(schema: dict[str, Any] | bool, value: Json) -> list[Mismatch]:
    try:
        validator = validator_of(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        problem = Problem(VALIDATION, "The schema is none", 422, str(error).partition("\n")[0])
        raise PermanentProblemError(problem) from error
    found = islice(validator.iter_errors(value), MOST_ERRORS)
    return [Mismatch(path=_pointer(entry.instance_path), message=entry.message) for entry in found]


def _does_not_fit(errors: list[Mismatch]) -> PermanentProblemError:
    detail = "; ".join(f"{error.path or '(all)'}: {error.message}" for error in errors)
    listed: list[Json] = [error.model_dump() for error in errors]
    return PermanentProblemError(
        Problem(VALIDATION, "The value does not fit the schema", 422, detail[:2000], extensions={"errors": listed})
    )


def _pointer(path: list[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
