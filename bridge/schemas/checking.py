"""Is a file's tree a JSON Schema that we can use: valid, complete in itself, not misspelt?

The checks are those of a definition's `input` (docs/language.md): dialect 2020-12, no reference that leaves the
document, a warning for what looks like a misspelt keyword. In addition a pattern must be one that can be matched in
linear time, because what it is matched against comes from strangers.
"""

from __future__ import annotations

from typing import Final

import jsonschema_rs

from workflows.language.diagnostics import Diagnostics, suggestion
from workflows.language.json_schema import HINT_OF_WORK, SchemaTooCostlyError, cure_of, validator_of
from workflows.language.schema_walk import keywords
from workflows.language.tree import Scalar, Tree, find, plain

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ANNOTATIONS: Final = frozenset(
    [
        *("$schema", "$id", "$comment", "$anchor", "$dynamicAnchor", "$vocabulary", "$defs", "definitions"),
        *("title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples"),
        *("contentEncoding", "contentMediaType", "contentSchema"),
    ]
)
"""Keywords that no value can fail."""

ASSERTIONS: Final = frozenset(
    [
        *("$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "type", "const", "enum"),
        *("dependentSchemas", "dependentRequired", "prefixItems", "items", "contains", "maxContains", "minContains"),
        *("properties", "patternProperties", "additionalProperties", "propertyNames", "required"),
        *("unevaluatedItems", "unevaluatedProperties", "maxProperties", "minProperties"),
        *("maxItems", "minItems", "uniqueItems", "maxLength", "minLength", "pattern", "format"),
        *("multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"),
    ]
)
"""Keywords that a value can fail."""

_REFERENCES = ("$ref", "$dynamicRef")


def check_schema(tree: Tree, report: Diagnostics) -> jsonschema_rs.Draft202012Validator | None:
    """Report what is wrong with the schema in a file; return its validator, or None where there is an error."""
    _check_spelling(tree, report)
    if _leaves_the_document(tree, report):
        return None
    try:
        return validator_of(plain(tree), mask="the value")
    except jsonschema_rs.ValidationError as error:
        at = find(tree, error.instance_path).at
        where = "".join(f"/{part}" for part in error.instance_path)
        message = f"{f'`{where}`' if where else 'this'} is no JSON Schema: {error.message}"
        report.error(at, "invalid-schema", message, cure_of(error))
    except SchemaTooCostlyError as error:
        report.error(tree.at, "costly-schema", f"the schema causes too much work: {error}", HINT_OF_WORK)
    return None


def _leaves_the_document(tree: Tree, report: Diagnostics) -> bool:
    before = len(report.found)
    for entry in keywords(tree):
        value = entry.value.value if isinstance(entry.value, Scalar) else None
        if entry.key in _REFERENCES and isinstance(value, str) and not value.startswith("#"):
            hint = "put the part under `$defs` and refer to '#/$defs/NAME'"
            message = f"the schema refers to another document: {value!r}"
            report.error(entry.value.at, "remote-reference", message, hint)
        elif entry.key == "$schema" and value != DIALECT:
            message = f"schemas here are of JSON Schema 2020-12, not {value!r}"
            report.error(entry.value.at, "invalid-schema", message, "leave `$schema` out")
    return len(report.found) > before


def _check_spelling(tree: Tree, report: Diagnostics) -> None:
    known = ANNOTATIONS | ASSERTIONS
    for entry in keywords(tree):
        near = None if entry.key in known or entry.key.startswith("x-") else suggestion(entry.key, known)
        if near is not None:
            message = f"{entry.key!r} is no keyword of JSON Schema, so it checks nothing"
            report.warning(entry.at, "unknown-schema-keyword", message, f"did you mean {near!r}?")
