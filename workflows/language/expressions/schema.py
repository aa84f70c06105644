"""JSON Schema 2020-12 to static types.

Understood: `type` (also a list of types), `properties`, `required`, `additionalProperties`, `items`, `enum`, `const`,
`anyOf`, `oneOf`, and `$ref` within the document; whatever else a schema says narrows values, not types, or makes the
type `any`. An object that declares properties and does not say `additionalProperties` is closed for reading: JSON
Schema allows other fields there, but an expression that reads one is far more often misspelt. A schema that refers to
itself is `any` where it does.
"""

from collections.abc import Mapping
from typing import Any

from contracts.json import Json
from workflows.language.expressions.lattice import (
    ANY,
    BOOL,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    Type,
    list_of,
    object_of,
    union,
)

_SIMPLE = {"null": NULL, "boolean": BOOL, "integer": NUMBER, "number": NUMBER, "string": STRING}
_COMBINING = ("anyOf", "oneOf", "allOf", "if", "then", "else", "dependentSchemas", "$ref", "$dynamicRef")
_SHAPING = frozenset({"properties", "patternProperties", "additionalProperties", "unevaluatedProperties", *_COMBINING})


def type_of_schema(schema: Mapping[str, Any] | bool) -> Type:
    """Give the type of the values that a schema allows, as far as types can say."""
    return _Schemas(schema).read(schema)


def type_of_value(value: Json) -> Type:
    """Give the type of one JSON value."""
    match value:
        case None:
            return NULL
        case bool():
            return BOOL
        case int() | float():
            return NUMBER
        case str():
            return STRING
        case list():
            return list_of(union(*map(type_of_value, value)))
        case dict():
            return object_of({key: type_of_value(item) for key, item in value.items()}, required=value)


class _Schemas:
    """Reads the schemas of one document, within which references are resolved."""

    def __init__(self, document: Mapping[str, Any] | bool) -> None:
        self._document = document
        self._known: dict[str, Type] = {}

    def read(self, schema: Any) -> Type:
        """Read a schema of the document."""
        if not isinstance(schema, Mapping):
            return ANY
        if "const" in schema:
            return type_of_value(schema["const"])
        if isinstance(schema.get("enum"), list):
            return union(*map(type_of_value, schema["enum"]))
        if "type" in schema or "properties" in schema:
            return self._declared(schema)
        if isinstance(reference := schema.get("$ref"), str):
            return self._referred(reference)
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list):
                return union(*(self.read(option) for option in schema[key]))
        return ANY

    def _declared(self, schema: Mapping[str, Any]) -> Type:
        names = schema.get("type", "object")
        return union(*(self._named(name, schema) for name in ([names] if isinstance(names, str) else names)))

    def _named(self, name: str, schema: Mapping[str, Any]) -> Type:
        if name == "array":
            return list_of(ANY if "prefixItems" in schema else self.read(schema.get("items")))
        if name == "object":
            return self._object(schema)
        return _SIMPLE.get(name, ANY)

    def _object(self, schema: Mapping[str, Any]) -> Type:
        properties = schema.get("properties")
        others = schema.get("additionalProperties")
        if not isinstance(properties, Mapping):
            return object_of({}) if others is False and not _shaped_elsewhere(schema) else OBJECT
        fields = {key: self.read(value) for key, value in properties.items()}
        is_open = (others is not None and others is not False) or _shaped_elsewhere(schema)
        required = schema.get("required")
        return object_of(fields, is_open=is_open, required=required if isinstance(required, list) else ())

    def _referred(self, reference: str) -> Type:
        """Read each target once; while it is being read it is `any`, which ends recursion."""
        if reference not in self._known:
            self._known[reference] = ANY
            self._known[reference] = self.read(self._target(reference))
        return self._known[reference]

    def _target(self, reference: str) -> Any:
        target: Any = self._document if reference.startswith("#") else None
        for part in reference.removeprefix("#").split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, Mapping) or key not in target:
                return None
            target = target[key]
        return target


def _shaped_elsewhere(schema: Mapping[str, Any]) -> bool:
    """Whether other parts of a schema may declare further fields (`anyOf: [{required: [a]}]` does not)."""
    if "patternProperties" in schema:
        return True
    parts = [schema[key] for key in _COMBINING if key in schema]
    flat = [part for listed in parts for part in (listed if isinstance(listed, list) else [listed])]
    return any(not isinstance(part, Mapping) or not _SHAPING.isdisjoint(part) for part in flat)
