"""The schemas of events: which one is used, what it refuses, and what a broken file is told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings

from bridge.schemas.errors import EventInvalidError, SchemasInvalidError
from bridge.schemas.files import read_schemas
from bridge.schemas.registry import SchemaRegistry, load_schemas
from contracts.envelope import Event
from contracts.json import Json
from tests.bridge.strategies import json_values
from tests.support.processes import ROOT

ORDER = """
type: object
required: [order_id]
properties:
  order_id: {type: string, minLength: 1}
  items:
    type: array
    items: {$ref: "#/$defs/item"}
$defs:
  item: {type: object, properties: {quantity: {type: integer, minimum: 1}}}
"""


def _write(folder: Path, name: str, text: str = ORDER) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def _event(data: Json, version: str = "1.0", kind: str = "order.placed") -> Event:
    return Event("e-1", kind, version, datetime(2030, 1, 1, tzinfo=UTC), "shop", data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A type with a schema."""
    _write(tmp_path, "order.placed/1.0.yaml")
    return tmp_path


def test_check_passes_what_fits_and_what_has_no_schema(folder: Path) -> None:
    """A type that nobody has described may hold what it likes."""
    registry = load_schemas(folder)
    registry.check(_event({"order_id": "A1", "items": [{"quantity": 2}], "more": 1}))
    registry.check(_event(None, kind="order.cancelled", version="any"))


def test_check_names_each_member_and_the_file_but_no_value(folder: Path) -> None:
    """The message says where and what was expected; values may be secrets."""
    with pytest.raises(EventInvalidError) as caught:
        load_schemas(folder).check(_event({"order_id": "", "items": [{"quantity": 1}, {"quantity": "secret"}]}))
    assert caught.value.detail.endswith("order.placed/1.0.yaml).")
    assert "`/data/order_id` the value is shorter than 1 character" in caught.value.detail
    assert '`/data/items/1/quantity` the value is not of type "integer"' in caught.value.detail
    assert "secret" not in caught.value.detail


def test_check_lists_no_more_complaints_than_one_can_read(folder: Path) -> None:
    """Ten thousand mistakes are no message."""
    with pytest.raises(EventInvalidError) as caught:
        load_schemas(folder).check(_event({"order_id": "x", "items": [{"quantity": 0}] * 10_000}))
    assert len(caught.value.detail) < 2_000


@pytest.mark.parametrize(
    ("known", "version", "used"),
    [
        (["1.0"], "1.0", "1.0"),
        (["1.0"], "1", "1.0"),
        (["1.0"], "1.0.7", "1.0"),
        (["1.0"], "1.3", "1.0"),
        (["1.0", "1.2", "1.10", "2.0"], "1.5", "1.10"),
        (["1.0", "1.2"], "1.1", "1.2"),
        (["1.0", "1.2", "2.0"], "1.0", "1.0"),
    ],
)
def test_a_version_is_checked_by_its_schema_or_the_highest_minor(
    tmp_path: Path, known: list[str], version: str, used: str
) -> None:
    """A newer minor only adds, so that the schemas we have can check it."""
    for each in known:
        _write(tmp_path, f"order.placed/{each}.yaml")
    schema = load_schemas(tmp_path).schema_for("order.placed", version)
    assert schema is not None
    assert schema.version == used


@pytest.mark.parametrize("version", ["3.0", "1.1", "v2", "", "2.", "9" * 5_000])
def test_a_version_that_nobody_knows_is_refused_with_those_there_are(tmp_path: Path, version: str) -> None:
    """An unknown major may mean anything; a minor below all that we know is none of theirs."""
    for each in ("1.2", "2.0"):
        _write(tmp_path, f"order.placed/{each}.yaml")
    with pytest.raises(EventInvalidError, match=r"there are: 1\.2, 2\.0"):
        load_schemas(tmp_path).check(_event({}, version))


@pytest.mark.parametrize(
    ("name", "text", "code", "line"),
    [
        ("order.placed/1.0.yaml", "type: object\ntype: string\n", "yaml-duplicate-key", 2),
        ("order.placed/1.0.yaml", "type: object\nproperties: {a: {type: strin}}\n", "invalid-schema", 2),
        ("order.placed/1.0.yaml", "properties:\n  a: {pattern: '(?=a)b'}\n", "invalid-schema", 2),
        ("order.placed/1.0.yaml", "properties:\n  a: {$ref: 'https://example.com/a'}\n", "remote-reference", 2),
        ("order.placed/1.0.yaml", "properties:\n  a: {$ref: 'other.yaml#/a'}\n", "remote-reference", 2),
        ("order.placed/1.0.yaml", "properties:\n  a: {$dynamicRef: 'file:///x'}\n", "remote-reference", 2),
        ("order.placed/1.0.yaml", "properties:\n  a: {$ref: '#/$defs/none'}\n", "invalid-schema", 1),
        ("order.placed/1.0.yaml", "$schema: http://json-schema.org/draft-07/schema#\n", "invalid-schema", 1),
        ("order.placed/1.0.yaml", "7\n", "invalid-schema", 1),
        ("order.placed/1.0.yaml", "a: [\n", "yaml-syntax", None),
        ("order.placed/1.yaml", ORDER, "schema-name", 1),
        ("order.placed/v1.yaml", ORDER, "schema-name", 1),
        ("order placed/1.0.yaml", ORDER, "schema-name", 1),
        ("order.placed/1.0.json", "{}", "duplicate-schema", 1),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, name: str, text: str, code: str, line: int) -> None:
    """Every mistake has a place, and the bridge does not start with half of the schemas."""
    _write(tmp_path, "order.placed/1.0.yaml")
    _write(tmp_path, name, text)
    (found,) = [each for each in read_schemas(tmp_path).diagnostics if each.severity == "error"]
    assert found.code == code
    assert line is None or found.line == line
    with pytest.raises(SchemasInvalidError, match=code):
        load_schemas(tmp_path)


def test_a_bomb_of_aliases_is_refused(tmp_path: Path) -> None:
    """A short file may not become a large one."""
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))
    _write(tmp_path, "order.placed/1.0.yaml", f"l0: &l0 [x]\n{levels}\n")
    assert read_schemas(tmp_path).failed


def test_a_misspelt_keyword_is_a_warning(tmp_path: Path) -> None:
    """It checks nothing, which nobody would notice; names of members are no keywords."""
    _write(tmp_path, "order.placed/1.0.yaml", "requierd: [a]\nproperties: {requierd: {type: string}}\n")
    files = read_schemas(tmp_path)
    assert [(each.severity, each.code, each.line) for each in files.diagnostics] == [
        ("warning", "unknown-schema-keyword", 1)
    ]
    assert not files.failed


def test_a_folder_that_is_not_there_holds_no_schema(tmp_path: Path) -> None:
    """Schemas are no duty."""
    assert load_schemas(tmp_path / "none").all() == ()


def test_files_that_cannot_be_read_and_hidden_ones(tmp_path: Path) -> None:
    """What an editor leaves behind is no schema; what cannot be opened is said."""
    _write(tmp_path, "order.placed/.1.0.yaml.swp.yaml", "[")
    (tmp_path / "order.placed" / "1.0.yaml").symlink_to("1.0.yaml")
    assert read_schemas(tmp_path).schemas == ()


@settings(deadline=None)
@given(json_values)
def test_check_raises_nothing_but_invalid(data: Json) -> None:
    """Whatever data is, it fits or it is refused with a reason."""
    registry = SHIPPED
    for schema in registry.all():
        try:
            registry.check(_event(data, schema.version, schema.type))
        except EventInvalidError as error:
            assert error.detail


SHIPPED: SchemaRegistry = load_schemas(ROOT / "definitions" / "events")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("agent.created", {"agent_id": "a1b2c3d4", "type": "researcher"}),
        ("agent.requested", {"agent_id": "a1", "type": "researcher", "cognitive_pattern": "systems"}),
        ("order.cancelled", {"order_id": "A1"}),
        ("payment.received", {"invoice_id": "I1", "amount": 12.5}),
        ("agent.ready", {"agent_id": "a1", "name": "n", "type": "t", "created_by": None}),
    ],
)
def test_shipped_schemas_take_what_the_shipped_definitions_speak_of(kind: str, data: Json) -> None:
    """What we ship fits together."""
    assert SHIPPED.versions(kind) == ("1.0",)
    SHIPPED.check(_event(data, kind=kind))


def test_shipped_definitions_have_a_schema_for_every_event() -> None:
    """Every event that a shipped definition waits for or publishes is described."""
    described = {schema.type for schema in SHIPPED.all()}
    assert _named_events() - described == set()


def _named_events() -> set[str]:
    lines = [
        line.strip() for file in (ROOT / "definitions").glob("*/1*.yaml") for line in file.read_text().splitlines()
    ]
    marks = ("- event: ", "event: ", "event_type: ")
    named = {line.removeprefix(mark) for line in lines for mark in marks if line.startswith(mark)}
    assert "order.placed" in named
    return named
