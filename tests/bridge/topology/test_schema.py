"""The JSON Schema: it takes what the reader takes, and marks the usual slips."""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import pytest

from bridge.topology.declared import BINDING_KEYS, DEAD_LETTER_KEYS, EXCHANGE_KEYS, QUEUE_KEYS
from bridge.topology.file import KEYS
from bridge.topology.schema import topology_schema
from contracts.json import Json
from workflows.language.source import read_source
from workflows.language.tree import plain

SHIPPED = Path(__file__).parents[3] / "definitions" / "topology.yaml"


def _document(text: str) -> Json:
    tree = read_source("topology.yaml", text).tree
    assert tree is not None
    document: Json = plain(tree)
    return document


def _fits(text: str) -> bool:
    return jsonschema_rs.validator_for(topology_schema()).is_valid(_document(text))


def test_shipped_file_fits() -> None:
    """An editor marks nothing in it."""
    assert _fits(SHIPPED.read_text())


@pytest.mark.parametrize(
    "text",
    [
        "ordering: [{event: 'a.*', key: '${ event.data.id }'}]",
        "plain: [{key: 'a.*', exchange: events, id: content}, {key: '#'}]",
        "queues: {q: , r: {ttl: 5m, dead_letter: {exchange: dlx}, arguments: {x-a: 1}}}",
        "bindings: [{from: events, to: q, headers: {x-tenant: , urgent: true}, match: any}]",
    ],
)
def test_usual_forms_fit(text: str) -> None:
    """What the reader takes is not marked."""
    assert _fits(text)


@pytest.mark.parametrize(
    "text",
    [
        "partitions: 0",
        "partitons: 8",
        "plain: [{exchange: events}]",
        "plain: [{key: a, id: body}]",
        "priorities: {urgent: {from: 9}}",
        "exchanges: {saga.a: {type: topic}}",
        "exchanges: {a: {type: topc}}",
        "queues: {q: {overflow: drop}}",
        "bindings: [{from: events}]",
    ],
)
def test_slips_are_marked(text: str) -> None:
    """Misspelt keys, wrong words and missing ones."""
    assert not _fits(text)


def test_schema_has_the_keys_of_the_reader() -> None:
    """A key that one of them learns, the other must learn as well."""
    properties = topology_schema()["properties"]
    queue = properties["queues"]["additionalProperties"]["properties"]
    assert tuple(properties) == KEYS
    assert tuple(properties["exchanges"]["additionalProperties"]["properties"]) == EXCHANGE_KEYS
    assert tuple(queue) == QUEUE_KEYS
    assert tuple(queue["dead_letter"]["properties"]) == DEAD_LETTER_KEYS
    assert tuple(properties["bindings"]["items"]["properties"]) == BINDING_KEYS
