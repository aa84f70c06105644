"""JSON Schemas in a definition (`input`, an approval's `form`) are valid, complete in themselves, and not misspelt.

A reference to another document is refused: a run must not depend on what a server says that day. An unknown keyword
is no error in JSON Schema, so a misspelt one (`requierd`) checks nothing; it gets a warning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import jsonschema_rs

from workflows.language import nodes
from workflows.language.check.context import Context, Rule
from workflows.language.diagnostics import did_you_mean, suggestion
from workflows.language.json_schema import HINT_OF_WORK, SchemaTooCostlyError, cure_of, validator_of
from workflows.language.schema_walk import keywords
from workflows.language.tree import Entry, Scalar, Tree, find, plain

_KEYWORDS = frozenset(
    [
        "$schema",
        "$id",
        "$ref",
        "$anchor",
        "$dynamicRef",
        "$dynamicAnchor",
        "$vocabulary",
        "$comment",
        "$defs",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "dependentSchemas",
        "prefixItems",
        "items",
        "contains",
        "properties",
        "patternProperties",
        "additionalProperties",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
        "type",
        "const",
        "enum",
        "multipleOf",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "pattern",
        "maxItems",
        "minItems",
        "uniqueItems",
        "maxContains",
        "minContains",
        "maxProperties",
        "minProperties",
        "required",
        "dependentRequired",
        "title",
        "description",
        "default",
        "deprecated",
        "readOnly",
        "writeOnly",
        "examples",
        "format",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "definitions",
        "dependencies",
    ]
)
_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _check(context: Context) -> None:
    for tree, what in _schemas(context.definition):
        remote = list(_remote(context, tree))
        if not remote:
            _valid(context, tree, what)
        _spelling(context, tree)


def _schemas(definition: nodes.Definition) -> Iterator[tuple[Tree, str]]:
    if definition.input is not None:
        yield definition.input, "input"
    for step in nodes.walk(definition.steps):
        if isinstance(step, nodes.Approval) and step.form is not None:
            yield step.form, "form"


def _valid(context: Context, tree: Tree, what: str) -> None:
    """Report the first mistake of a schema: what follows from it would only confuse."""
    try:
        validator_of(plain(tree))
    except jsonschema_rs.ValidationError as error:
        at = find(tree, error.instance_path).at
        path = ".".join(map(str, [what, *error.instance_path]))
        message, hint = _explained(error)
        context.report.error(at, "invalid-schema", f"`{path}` is no JSON Schema: {message}", hint)
    except SchemaTooCostlyError as error:
        context.report.error(tree.at, "costly-schema", f"`{what}` causes too much work: {error}", HINT_OF_WORK)


def _explained(error: jsonschema_rs.ValidationError) -> tuple[str, str]:
    """The library's words, and a hint; of a wrong type it does not say which there are."""
    if error.instance_path[-1:] == ["type"]:
        name = error.instance if isinstance(error.instance, str) else ""
        return f"there is no type {json.dumps(error.instance)}", did_you_mean(name, _TYPES)
    return error.message, cure_of(error)


def _remote(context: Context, tree: Tree) -> Iterator[Entry]:
    for entry in keywords(tree):
        text = entry.value.value if isinstance(entry.value, Scalar) else None
        if entry.key in ("$ref", "$dynamicRef") and isinstance(text, str) and not text.startswith("#"):
            message = f"the schema refers to another document: {text!r}"
            hint = "put the part under `$defs` and refer to '#/$defs/NAME'"
            context.report.error(entry.value.at, "remote-reference", message, hint)
            yield entry
        elif entry.key == "$schema" and text != _DIALECT:
            message = f"schemas here are of JSON Schema 2020-12, not {text!r}"
            context.report.error(entry.value.at, "invalid-schema", message, "leave `$schema` out")
            yield entry


def _spelling(context: Context, tree: Tree) -> None:
    for entry in keywords(tree):
        near = None if entry.key in _KEYWORDS or entry.key.startswith("x-") else suggestion(entry.key, _KEYWORDS)
        if near is not None:
            message = f"{entry.key!r} is no keyword of JSON Schema, so it checks nothing"
            context.report.warning(entry.at, "unknown-schema-keyword", message, f"did you mean {near!r}?")


RULE = Rule(
    _check,
    {
        "invalid-schema": "An input or form schema is not valid JSON Schema 2020-12.",
        "remote-reference": "A schema refers to another document.",
        "unknown-schema-keyword": "A keyword of a schema looks misspelt (warning).",
    },
)
