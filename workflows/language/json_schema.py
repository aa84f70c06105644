"""The one way to make a JSON Schema validator: it never leaves the process, and its work is bounded.

The library would fetch whatever a `$ref` or `$schema` names. A definition is checked on every start of a worker and
by anybody who opens a pull request, so a reference to elsewhere must neither reach the network nor a file: it is an
error like any other. What a schema is asked about comes from strangers, so patterns are matched in linear time (no
look-around, no back-reference), and a schema whose parts may be applied too often is refused (`schema_work`).
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import jsonschema_rs

from workflows.language.schema_work import too_much_work

_BACKTRACKS = re.compile(r"\(\?<?[=!]|\\[1-9]")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


HINT_OF_WORK = "let each part refer to another only once, and a part that refers to itself only through its children"


class SchemaTooCostlyError(ValueError):
    """A schema is valid, and can cause too much work."""


def validator_of(schema: Any, *, mask: str | None = None) -> jsonschema_rs.Draft202012Validator:
    """Return the validator of a schema.

    Args:
        schema: The schema.
        mask: What its messages say instead of a value; None = the value.

    Raises:
        jsonschema_rs.ValidationError: The schema is not valid, or refers to something that is not in it.
        SchemaTooCostlyError: It can cause too much work.
    """
    validator = jsonschema_rs.Draft202012Validator(
        schema,
        validate_formats=True,
        retriever=_refuse,
        mask=mask,
        pattern_options=jsonschema_rs.RegexOptions(),
    )
    reason = too_much_work(schema)
    if reason is not None:
        raise SchemaTooCostlyError(reason)
    return validator


def cure_of(error: jsonschema_rs.ValidationError) -> str:
    """Return what to do about a schema that is none."""
    if error.instance_path[-1:] == ["pattern"] and _BACKTRACKS.search(str(error.instance)):
        return "a pattern may have no look-around and no back-reference: it is to be matched in linear time"
    if error.kind.name == "$ref":
        return "a reference names a part of this schema: #/$defs/NAME"
    return "it is to be JSON Schema 2020-12"


def is_schema(value: Any) -> bool:
    """Tell whether a value is a JSON Schema 2020-12, whatever dialect it claims to be of."""
    return _META.is_valid(value)


def _refuse(uri: str) -> NoReturn:
    raise LookupError(f"{uri} is not part of the schema")


_META = jsonschema_rs.Draft202012Validator({"$ref": _DIALECT}, retriever=_refuse)
