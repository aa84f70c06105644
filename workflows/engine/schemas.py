"""JSON Schema 2020-12 validation inside a run: the input and the forms of approvals.

Formats are checked; a `$ref` that leaves the document is refused, so that no validation ever reads a file or the
network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs

from contracts.json import Json
from workflows.language.json_schema import validator_of

COMPLAINT_LIMIT = 10
_LONGEST_MESSAGE = 500


def complaints(schema: Mapping[str, Any] | bool, value: Json) -> list[str]:
    """Return what is wrong with `value`, a line each with its place, at most ten; empty = valid.

    What a checker raises about a value is a complaint too: a run must not hang because of what it was sent.
    """
    found = []
    try:
        for error in _validator(json.dumps(schema, sort_keys=True)).iter_errors(value):
            found.append(f"{_place(error.instance_path)}: {_shortened(error.message)}")
            if len(found) == COMPLAINT_LIMIT:
                break
    except MemoryError:
        raise
    except Exception as error:
        found.append(f"/: it could not be checked ({type(error).__name__}: {_shortened(str(error))})")
    return found


def _shortened(message: str) -> str:
    """Return a message that quotes a value of any length, cut."""
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"


def _place(path: list[str | int]) -> str:
    return "/" + "/".join(str(part) for part in path)


@lru_cache(maxsize=512)
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    return validator_of(json.loads(schema))
