"""Every example in the documentation is what its page says: it compiles, or is refused with the code that is named."""

from __future__ import annotations

import json
import tomllib

import pytest
from jsonschema_rs import Draft202012Validator

from activities.connections import parse_connections
from activities.registry import catalog
from bridge.envelope import Properties, decode
from cli.settings import Settings
from tests.docs.pages import Example, examples
from workflows.language.compiler import Compilation, compile_sources
from workflows.language.fmt import format_source
from workflows.language.schema import definition_schema
from workflows.language.source import read_source
from workflows.language.tree import plain

ACTIONS = catalog()
PARTS = frozenset({"steps", "keys", "refused", "connections", "topology", "webhooks"})

_HEAD = "id: example\nversion: 1.0.0\n"
_STEPS = """
steps:
  - {id: reserve, action: inventory.reserve}
  - {id: charge, action: payment.charge}
  - {id: wait-for-payment, type: receive, signal: payment}
  - {id: release, action: inventory.release}
compensation: {reserve: release}
"""


def compiled(text: str) -> Compilation:
    """Compile one definition beside the one that examples start as a child."""
    child = "id: invoice\nversion: 1.2.0\nsteps: [{id: number, type: set, vars: {number: 7}}]"
    return compile_sources({"example.yaml": text, "invoice.yaml": child}, ACTIONS)


def in_steps(text: str) -> str:
    """Return a definition whose steps are `text`."""
    return f"{_HEAD}steps:\n{text}"


def complaints(compilation: Compilation) -> list[str]:
    """Return what the compiler says, a line each."""
    return [f"{each.line}: {each.code}: {each.message}" for each in compilation.diagnostics]


def parts(kind: str) -> list[Example]:
    """Return the examples that are parts of a definition, of one kind."""
    return examples("yaml", kind)


def whole() -> list[Example]:
    """Return the examples that are whole definitions."""
    return [example for example in examples("yaml") if not PARTS & set(example.words)]


@pytest.mark.parametrize("example", whole(), ids=str)
def test_whole_definition_compiles(example: Example) -> None:
    """A whole definition has neither errors nor warnings."""
    assert complaints(compiled(example.text)) == []


@pytest.mark.parametrize("example", whole(), ids=str)
def test_whole_definition_fits_the_schema_for_editors(example: Example) -> None:
    """An editor underlines nothing in what the compiler takes."""
    tree = read_source(example.page, example.text).tree
    assert tree is not None
    schema = Draft202012Validator(definition_schema(ACTIONS))
    assert [error.message for error in schema.iter_errors(plain(tree))] == []


@pytest.mark.parametrize("example", whole(), ids=str)
def test_whole_definition_is_in_the_usual_form(example: Example) -> None:
    """`saga fmt` would change nothing."""
    assert format_source(example.text) == example.text


@pytest.mark.parametrize("example", parts("steps"), ids=str)
def test_steps_compile(example: Example) -> None:
    """A list of steps compiles as the steps of a definition."""
    assert complaints(compiled(in_steps(example.text))) == []


@pytest.mark.parametrize("example", parts("keys"), ids=str)
def test_top_level_keys_compile(example: Example) -> None:
    """Top-level keys compile beside the rest of a definition."""
    rest = "" if "steps:" in example.text else _STEPS
    assert complaints(compiled(f"{_HEAD}{example.text}{rest}")) == []


@pytest.mark.parametrize("example", parts("refused"), ids=str)
def test_refused_steps_are_refused_as_named(example: Example) -> None:
    """An example of a mistake leads to the code that the page names, and to no other."""
    found = compiled(in_steps(example.text)).diagnostics
    assert {each.code for each in found} == set(example.words[2:])


@pytest.mark.parametrize("example", parts("connections"), ids=str)
def test_connections_can_be_read(example: Example) -> None:
    """A file of connections is one."""
    assert parse_connections(example.text)


@pytest.mark.parametrize("example", examples("json", "event"), ids=str)
def test_events_can_be_decoded(example: Example) -> None:
    """An event in the documentation is one that the bridge takes, with no member that it does not know."""
    event = decode(example.text.encode(), Properties())
    assert event.to_json().keys() == json.loads(example.text).keys()


@pytest.mark.parametrize("example", examples("toml"), ids=str)
def test_settings_file_is_understood(example: Example) -> None:
    """A `saga.toml` holds settings that exist."""
    Settings.model_validate(tomllib.loads(example.text))
