"""Reading definitions from disk, and the commands about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.definitions import compile_files, default_folder, definition_files
from cli.exits import BadInputError, Exit
from cli.formatting import formatted
from tests.cli.conftest import GREETING
from tests.support.command_line import Shell
from tests.support.processes import ROOT


def test_definition_files_are_found_in_folders_and_the_rest_is_left_out(tmp_path: Path) -> None:
    """Versions in folders count; event schemas, tests, connections, topology and hidden files do not."""
    wanted = ["a.yaml", "b/1.0.0.yml", "b/2.0.0.json", "b/connections.yaml"]
    others = [
        "events/e.yaml",
        "tests/t.yaml",
        "connections.yaml",
        "topology.yaml",
        ".hidden.yaml",
        ".git/x.yaml",
        "n.md",
    ]
    for name in wanted + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [str(file.relative_to(tmp_path)) for file in definition_files(tmp_path)] == sorted(wanted)


def test_compile_files_refuses_a_folder_without_definitions(tmp_path: Path) -> None:
    """Nothing to do is bad input, not success."""
    with pytest.raises(BadInputError, match="There is no definition"):
        compile_files([tmp_path])


def test_compile_files_names_files_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Diagnostics show paths relative to the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/x.yaml").write_text("id: x")
    assert {each.file for each in compile_files([Path("d")]).diagnostics} == {"d/x.yaml"}


def test_default_folder_is_the_shipped_one_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed wheel in an empty folder has something to run."""
    monkeypatch.chdir(tmp_path)
    assert default_folder() == ROOT / "definitions"
    (tmp_path / "definitions").mkdir()
    assert default_folder() == Path("definitions")


async def test_validate_tells_that_all_is_well(shell: Shell) -> None:
    """The document for scripts has id, version and digest of each definition."""
    assert "1 definition in 1 file: no errors, 0 warnings." in (await shell.saga("validate")).out
    (definition,) = (await shell.saga("validate", "--json")).json["definitions"]
    assert (definition["id"], definition["version"], len(definition["digest"])) == ("greeting", "1.0.0", 64)


async def test_validate_shows_all_errors_at_once(shell: Shell) -> None:
    """File, line, column, code, hint; exit code 2."""
    shell.write("definitions/bad.yaml", GREETING.replace("id: greeting", "id: bad").replace("steps:", "stepz:"))
    shell.write("definitions/worse.yaml", "id: [")
    finished = await shell.saga("validate")
    assert finished.code == Exit.BAD_INPUT
    assert "definitions/bad.yaml:7:1" in finished.err
    assert "did you mean 'steps'?" in finished.err
    assert "definitions/worse.yaml" in finished.err
    document = (await shell.saga("validate", "--json")).json
    assert not document["ok"]
    assert {each["file"] for each in document["diagnostics"]} == {"definitions/bad.yaml", "definitions/worse.yaml"}


async def test_fmt_renames_keys_of_the_language_and_nothing_else(shell: Shell) -> None:
    """Comments, order, quotes and data stay; --check writes nothing."""
    text = """id: a   # a comment
version: 1.0.0
steps:
  - {id: b, action: data.transform, onError: c, with: {value: {onError: 1}}, retry: {maxBackoff: 3s}}
  - id: p
    branches:
      x:
        - {id: c, "attemptTimeout": 3s, action: data.transform, with: {value: 1}}"""
    file = shell.write("definitions/a.yaml", text)
    checked = await shell.saga("fmt", "definitions/a.yaml", "--check")
    assert (checked.code, file.read_text()) == (Exit.BAD_INPUT, text)
    assert (await shell.saga("fmt", "definitions/a.yaml")).code == Exit.OK
    wanted = (
        text.replace("onError: c", "on_error: c").replace("maxBackoff", "max_backoff").replace("attemptT", "attempt_t")
    )
    assert file.read_text() == wanted + "\n"
    assert (await shell.saga("fmt", "--check")).code == Exit.OK


def test_formatted_leaves_what_cannot_be_read() -> None:
    """A file with a syntax error is for `saga validate`."""
    assert formatted("x.yaml", "a: [") is None


def test_formatted_changes_nothing_in_the_shipped_definitions() -> None:
    """They are in the usual form."""
    for file in definition_files(ROOT / "definitions"):
        text = file.read_text(encoding="utf-8")
        assert formatted(str(file), text) == text, file


async def test_graph_draws_a_definition_by_name_and_by_file(shell: Shell) -> None:
    """Both are the same flowchart."""
    by_name, by_file = await shell.saga("graph", "greeting"), await shell.saga("graph", "definitions/greeting.yaml")
    assert by_name.out.startswith("flowchart TD")
    assert by_name.out == by_file.out


async def test_actions_lists_and_shows(shell: Shell) -> None:
    """The list, one action's fields, the schemas for scripts; a misspelt name gets a suggestion."""
    assert "http.request" in (await shell.saga("actions")).out
    assert "INPUT" in (await shell.saga("actions", "data.transform")).out
    (action,) = (await shell.saga("actions", "data.transform", "--json")).json
    assert action.keys() == {"name", "summary", "local", "attempt_timeout", "input", "output"}
    misspelt = await shell.saga("actions", "data.transfrom")
    assert (misspelt.code, "did you mean 'data.transform'" in misspelt.err) == (Exit.BAD_INPUT, True)


async def test_schema_is_a_json_schema(shell: Shell) -> None:
    """For editors."""
    assert "json-schema.org" in (await shell.saga("schema")).json["$schema"]
