"""The search attributes by which runs are found, in Temporal's typed form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from contracts.names import (
    ATTRIBUTE_CORRELATION,
    ATTRIBUTE_DEFINITION,
    ATTRIBUTE_KEY,
    ATTRIBUTE_LIMIT_BYTES,
    ATTRIBUTE_STATUS,
    ATTRIBUTE_VERSION,
)
from workflows.language.library import pin_of
from workflows.language.triggers import Definition

STATUS_RUNNING = "running"

_KEYWORDS: Mapping[str, SearchAttributeKey[str]] = {
    name: SearchAttributeKey.for_keyword(name)
    for name in (ATTRIBUTE_DEFINITION, ATTRIBUTE_VERSION, ATTRIBUTE_STATUS, ATTRIBUTE_KEY)
}
_CORRELATION = SearchAttributeKey.for_keyword_list(ATTRIBUTE_CORRELATION)


def starting_attributes(definition: Definition, key: str) -> TypedSearchAttributes:
    """Return what a run is started with; it then needs no marker for its version and no upsert at its beginning."""
    values = {
        ATTRIBUTE_DEFINITION: definition.id,
        ATTRIBUTE_VERSION: pin_of(definition),
        ATTRIBUTE_STATUS: STATUS_RUNNING,
        ATTRIBUTE_KEY: key,
    }
    return TypedSearchAttributes([SearchAttributePair(_KEYWORDS[name], _cut(text)) for name, text in values.items()])


def changes(
    wanted: Mapping[str, str | list[str]], present: Mapping[str, Sequence[Any]]
) -> list[SearchAttributeUpdate[Any]]:
    """Return the updates that make a run's attributes what is `wanted`; none for those that are `present` as wanted."""
    return list(_changes(wanted, present))


def pinned_version(present: Mapping[str, Sequence[Any]]) -> str | None:
    """Return the pin among a run's attributes, or None: it was started without one."""
    values = present.get(ATTRIBUTE_VERSION)
    return str(values[0]) if values else None


def business_key_of(present: Mapping[str, Sequence[Any]], definition: str, workflow_id: str) -> str:
    """Return the key that a run was started with: its attribute's, so that a history replays under any workflow id."""
    values = present.get(ATTRIBUTE_KEY)
    return str(values[0]) if values else key_of(definition, workflow_id)


def key_of(definition: str, workflow_id: str) -> str:
    """Return the business key in a workflow id: what follows `<definition>/`, or all of it."""
    return workflow_id.removeprefix(f"{definition}/") or workflow_id


def _changes(
    wanted: Mapping[str, str | list[str]], present: Mapping[str, Sequence[Any]]
) -> Iterator[SearchAttributeUpdate[Any]]:
    for name, value in wanted.items():
        values = [value] if isinstance(value, str) else value
        if [_cut(text) for text in values] == list(present.get(name) or ()):
            continue
        yield _update(name, value)


def _update(name: str, value: str | list[str]) -> SearchAttributeUpdate[Any]:
    if isinstance(value, str):
        return _KEYWORDS[name].value_set(_cut(value))
    return _CORRELATION.value_set([_cut(text) for text in value]) if value else _CORRELATION.value_unset()


def _cut(text: str) -> str:
    """Return the longest beginning that the server takes; it counts the value as JSON, in which a letter may be six."""
    if len(json.dumps(text)) <= ATTRIBUTE_LIMIT_BYTES:
        return text
    size = len(json.dumps(""))
    for end, letter in enumerate(text):
        size += len(json.dumps(letter)) - len(json.dumps(""))
        if size > ATTRIBUTE_LIMIT_BYTES:
            return text[:end]
    return text
