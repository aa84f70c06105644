"""Random schemas, pairs of an old and a new one, and data that often fits them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

NAMES = ("a", "b", "c")
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
_small = st.integers(-2, 4)
_sizes = st.integers(0, 3)
_numbers = _small | st.sampled_from([0.5, 1.5, 2.0])
_scalars: st.SearchStrategy[Any] = st.none() | st.booleans() | _numbers | st.text("ab", max_size=3)

data = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "ab", "zz"]), inner),
    max_leaves=6,
)

_of_numbers = {
    "minimum": _numbers,
    "maximum": _numbers,
    "exclusiveMinimum": _numbers,
    "exclusiveMaximum": _numbers,
    "multipleOf": st.sampled_from([1, 2, 4, 0.5]),
}
_of_texts = {"minLength": _sizes, "maxLength": _sizes, "pattern": st.sampled_from(["^a", "b$", "a.*b"])}


def _of_lists(inner: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    return {
        "items": inner,
        "prefixItems": st.lists(inner, min_size=1, max_size=2),
        "minItems": _sizes,
        "maxItems": _sizes,
        "uniqueItems": st.booleans(),
        "contains": inner,
    }


def _of_tables(inner: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    return {
        "properties": st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
        "required": st.lists(st.sampled_from(NAMES), unique=True, max_size=2),
        "additionalProperties": inner,
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), inner, min_size=1, max_size=1),
        "minProperties": _sizes,
        "maxProperties": _sizes,
        "propertyNames": st.just({"maxLength": 1}),
        "dependentRequired": st.just({"a": ["b"]}),
    }


def _of_any(inner: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    alternatives = st.lists(inner, min_size=1, max_size=3)
    return {
        "type": st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True),
        "enum": st.lists(_scalars, min_size=1, max_size=3),
        "const": _scalars,
        "anyOf": alternatives,
        "oneOf": alternatives,
        "allOf": alternatives,
        "not": inner,
        "if": inner,
        "then": inner,
        "$ref": st.sampled_from(["#/$defs/d", "#/$defs/e"]),
    }


def _kinds(inner: st.SearchStrategy[Any]) -> list[st.SearchStrategy[Any]]:
    def of(kind: Any, keywords: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
        return st.builds(lambda own: {"type": kind, **own}, st.fixed_dictionaries({}, optional=keywords))

    return [
        of("object", _of_tables(inner)),
        of("array", _of_lists(inner)),
        of("integer", _of_numbers),
        of("number", _of_numbers),
        of("string", _of_texts),
        st.fixed_dictionaries({}, optional=_of_any(inner)),
    ]


def _schema(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(_kinds(inner))


_leaves = st.booleans() | st.builds(lambda kind: {"type": kind}, st.sampled_from(TYPES))
_inner = st.recursive(_leaves, _schema, max_leaves=5)
schemas = st.builds(
    lambda schema, definitions: schema if isinstance(schema, bool) else {**schema, "$defs": definitions},
    _inner,
    # No references in these, or a schema may be defined as itself, on which validators disagree.
    st.fixed_dictionaries({"d": _leaves | st.just({"type": "integer", "minimum": 1}), "e": _leaves}),
)


def changed(schema: Any, seed: int) -> Any:
    """Return a schema with one small change somewhere: a keyword dropped, a number moved, a member added."""
    source = random.Random(seed)  # noqa: S311  # a test's own choice, given by its seed
    if not isinstance(schema, dict) or not schema:
        return source.choice([True, {"type": source.choice(TYPES)}])
    key = source.choice(sorted(schema))
    change = source.choice([_dropped, _moved, _moved, _moved, _added])
    return change(schema, key, source)


def _dropped(schema: dict[str, Any], key: str, source: random.Random) -> Any:
    return {name: value for name, value in schema.items() if name != key or name == "$defs"}


def _added(schema: dict[str, Any], key: str, source: random.Random) -> Any:
    properties = schema.get("properties", {})
    added = {"properties": {**properties, source.choice(NAMES): {"type": source.choice(TYPES)}}}
    return schema | source.choice([added, {"required": [source.choice(NAMES)]}, {"additionalProperties": False}])


def _moved(schema: dict[str, Any], key: str, source: random.Random) -> Any:
    value = schema[key]
    again: Callable[[Any], Any] = lambda inner: changed(inner, source.randrange(2**32))  # noqa: E731  # one expression
    match key, value:
        case (("properties" | "$defs" | "patternProperties"), dict()) if value:
            name = source.choice(sorted(value))
            return {**schema, key: {**value, name: again(value[name])}}
        case (("items" | "additionalProperties" | "not" | "contains"), _):
            return {**schema, key: again(value)}
        case (("anyOf" | "oneOf" | "allOf" | "prefixItems"), list()):
            at = source.randrange(len(value))
            return {**schema, key: [*value[:at], again(value[at]), *value[at + 1 :]]}
        case "enum", list():
            return {**schema, key: source.choice([value[:1], [*value, "a"], [*value, 1.0]])}
        case _, int() if not isinstance(value, bool) and key != "const":
            return {**schema, key: max(value + source.choice([-1, 1]), 1 if key == "multipleOf" else 0)}
    return schema


def sample(schema: Any, root: Any, source: random.Random, depth: int = 0) -> Any:
    """Return data that often fits a schema: near its bounds, with and without its optional members."""
    if depth > 6 or not isinstance(schema, dict) or source.random() < 0.1:
        return source.choice([None, True, False, 0, 1, -1, 2.0, 0.5, "", "a", "ab", "bb", [], [1, 1], {}, {"a": 1}])
    if "$ref" in schema:
        return sample(root["$defs"][schema["$ref"][-1]], root, source, depth + 1)
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in schema:
            branch = source.choice(schema[keyword])
            rest = {key: value for key, value in schema.items() if key != keyword}
            return sample({**rest, **branch} if isinstance(branch, dict) else rest, root, source, depth + 1)
    values = schema.get("enum", []) + ([schema["const"]] if "const" in schema else [])
    if values:
        return source.choice(values)
    types = schema.get("type", TYPES)
    return _of_type(source.choice([types] if isinstance(types, str) else types), schema, root, source, depth)


def _of_type(kind: str, schema: dict[str, Any], root: Any, source: random.Random, depth: int) -> Any:
    match kind:
        case "integer" | "number":
            bounds = [schema[key] for key in _of_numbers if key in schema] or [0]
            number = source.choice(bounds) + source.choice([-2, -1, -0.5, 0, 0.5, 1, 2])
            return int(number) if kind == "integer" else number
        case "string":
            texts = ["", "a", "b", "ab", "aab", "abb", "ba", "bbbb"]
            return source.choice([text for text in texts if len(text) >= schema.get("minLength", 0)] or texts)
        case "array":
            first, least = schema.get("prefixItems", []), schema.get("minItems", 0)
            size = source.randint(least, max(least, min(schema.get("maxItems", 3), 4)))
            schemas = [*first, *[schema.get("items", True)] * size][:size]
            return [sample(each, root, source, depth + 1) for each in schemas]
        case "object":
            return _table(schema, root, source, depth)
    return None if kind == "null" else source.random() < 0.5


def _table(schema: dict[str, Any], root: Any, source: random.Random, depth: int) -> Any:
    own, required = schema.get("properties", {}), schema.get("required", [])
    names = {name for name in [*NAMES, "ab", "zz"] if name in required or source.random() < 0.3}
    rest = schema.get("additionalProperties", True)
    names -= {name for name in names if rest is False and name not in own}
    return {name: sample(own.get(name, rest), root, source, depth + 1) for name in sorted(names)}


def _definitions(schema: Any) -> Any:
    return schema["$defs"] if isinstance(schema, dict) else {"d": True, "e": True}


def _bare(schema: Any) -> Any:
    return {key: value for key, value in schema.items() if key != "$defs"} if isinstance(schema, dict) else schema


_scalar_types = st.builds(lambda kind: {"type": kind}, st.sampled_from(TYPES[:5])) | st.just(False)
_of_one_kind = st.one_of([st.tuples(kind, kind) for kind in _kinds(_scalar_types)])

pairs = st.one_of(
    _of_one_kind.map(lambda pair: tuple({**each, "$defs": {"d": {"type": "null"}, "e": True}} for each in pair)),
    st.tuples(schemas, schemas),
    st.builds(lambda old, new: ({"allOf": [old, new], "$defs": _definitions(new)}, new), _inner, schemas),
    st.builds(lambda old, new: (old, {"anyOf": [_bare(old), new], "$defs": _definitions(old)}), schemas, _inner),
    st.builds(lambda old, seed: (old, changed(old, seed)), schemas, st.integers(0, 2**32)),
    st.builds(lambda old, seed: (changed(old, seed), old), schemas, st.integers(0, 2**32)),
)
