"""JSON Schema validators that never leave the process.

The library would fetch whatever a `$ref` or `$schema` names. A definition is checked on every start of a worker and
by anybody who opens a pull request, so a reference to elsewhere must neither reach the network nor a file: it is an
error like any other.
"""

from __future__ import annotations

from typing import Any, NoReturn

import jsonschema_rs

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def validator_of(schema: Any) -> jsonschema_rs.Draft202012Validator:
    """Return the validator of a schema.

    Raises:
        jsonschema_rs.ValidationError: The schema is not valid, or refers to something that is not in it.
    """
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True, retriever=_refuse)


def is_schema(value: Any) -> bool:
    """Tell whether a value is a JSON Schema 2020-12, whatever dialect it claims to be of."""
    return _META.is_valid(value)


def _refuse(uri: str) -> NoReturn:
    raise LookupError(f"{uri} is not part of the schema")


_META = validator_of({"$ref": _DIALECT})
