"""`saga events check` and `saga events schema`: compatibility and schemas as a person sees them."""

from __future__ import annotations

import json

from tests.support.command_line import Shell

OLD = "type: object\nrequired: [order_id]\nproperties: {order_id: {type: string}, state: {enum: [open, paid]}}\n"
WIDER = OLD.replace("[open, paid]", "[open, paid, lost]")
STRICTER = OLD.replace("[order_id]", "[order_id, total]").replace("state:", "total: {type: number}, state:")


def _write(shell: Shell, **versions: str) -> None:
    for version, text in versions.items():
        shell.write(f"definitions/events/order.placed/{version.removeprefix('v').replace('_', '.')}.yaml", text)


async def test_check_answers_both_questions_with_reasons(shell: Shell) -> None:
    """What breaks whom, and where, and an exit code for scripts."""
    _write(shell, v1_0=OLD, v1_1=WIDER)
    finished = await shell.saga("events", "check", "order.placed", "1.0", "1.1")
    assert finished.code == 1
    assert finished.out.splitlines() == [
        "1.0 -> 1.1",
        "  New reads old: compatible",
        "  Old reads new: incompatible",
        '    /state: 1.0 does not take "lost", 1.1 allows it',
    ]


async def test_check_compares_two_files(shell: Shell) -> None:
    """A schema that is not in the folder yet can be checked before it is."""
    old, new = shell.write("old.yaml", OLD), shell.write("new.yaml", STRICTER)
    finished = await shell.saga("events", "check", str(old), str(new), "--json")
    (document,) = finished.json
    assert finished.code == 1
    assert document["new_reads_old"]["verdict"] == "incompatible"
    assert document["new_reads_old"]["findings"][0]["pointer"] == "/total"
    assert document["old_reads_new"] == {"verdict": "compatible", "findings": []}


async def test_check_without_arguments_compares_neighbouring_versions_of_a_major(shell: Shell) -> None:
    """One line in a pipeline guards every type; a new major may break what it likes."""
    _write(shell, v1_0=OLD, v1_1=OLD + "title: Order\n", v2_0=STRICTER)
    finished = await shell.saga("events", "check")
    assert (finished.code, finished.out.splitlines()[0]) == (0, "1.0 -> 1.1")
    assert "2.0" not in finished.out


async def test_check_says_that_there_is_nothing_to_compare(shell: Shell) -> None:
    """No answer at all would look like a good one."""
    finished = await shell.saga("events", "check")
    assert finished.code == 0
    assert "nothing to compare" in finished.err


async def test_check_refuses_what_it_cannot_find_with_a_hint(shell: Shell) -> None:
    """A misspelt type, version or file is named."""
    _write(shell, v1_0=OLD)
    messages = {
        ("order.plaecd", "1.0", "1.1"): "did you mean 'order.placed'?",
        ("order.placed", "1.0", "1.1"): "There is no version '1.1' of order.placed; there are: 1.0.",
        ("none.yaml", "other.yaml"): "There is no file 'none.yaml'",
        ("one",): "Name two files",
    }
    for arguments, message in messages.items():
        finished = await shell.saga("events", "check", *arguments)
        assert (finished.code, message in finished.err) == (2, True), finished.err


async def test_a_broken_schema_is_shown_with_its_line(shell: Shell) -> None:
    """`saga validate` and whoever needs the schemas say the same."""
    _write(shell, v1_0="type: object\nproperties: {a: {type: strin}}\n")
    for arguments in (("validate",), ("events", "schema"), ("events", "check")):
        finished = await shell.saga(*arguments)
        assert finished.code == 2
        assert "error[invalid-schema]" in finished.err
        assert "1.0.yaml:2:" in finished.err


async def test_validate_counts_the_schemas(shell: Shell) -> None:
    """They are checked together with the definitions."""
    _write(shell, v1_0=OLD)
    finished = await shell.saga("validate")
    assert "1 definition and 1 event schema in 2 files: no errors" in finished.out
    document = (await shell.saga("validate", "--json")).json
    assert [schema["type"] for schema in document["event_schemas"]] == ["order.placed"]


async def test_schema_lists_and_shows(shell: Shell) -> None:
    """A list for people, a document for tools."""
    _write(shell, v1_0=OLD, v1_1=WIDER)
    listed = (await shell.saga("events", "schema")).out.splitlines()
    assert [line.split()[:3] for line in listed[1:]] == [
        ["order.placed", "1.0", "order_id"],
        ["order.placed", "1.1", "order_id"],
    ]
    shown = json.loads((await shell.saga("events", "schema", "order.placed")).out)
    assert shown["properties"]["state"]["enum"] == ["open", "paid", "lost"]
