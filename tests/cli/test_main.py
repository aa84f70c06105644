"""The entry point: help, exit codes, and what users see when something is wrong."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli.exits import BadInputError, Exit, ReportedError
from cli.main import run, saga
from cli.menu import COMMANDS, GROUPS
from contracts.errors import ServiceUnreachableError
from tests.support.command_line import Shell
from tests.support.processes import ROOT

HEAVY = {"temporalio", "pydantic", "rich", "aio_pika", "asyncpg", "httpx", "structlog", "yaml", "cel_expr_python"}


def _commands_of(group: str) -> frozenset[str]:
    return frozenset(name for part in GROUPS[group].sections.values() for name in part)


async def test_help_lists_every_command_and_the_exit_codes(shell: Shell) -> None:
    """A newcomer sees what there is and where to start."""
    finished = await shell.saga("--help")
    assert finished.code == 0
    assert all(f"  {name} " in finished.out for name in COMMANDS)
    assert "saga demo" in finished.out
    assert "3 a service cannot be reached" in finished.out


@pytest.mark.integration
def test_help_imports_nothing_heavy() -> None:
    """`saga --help` answers at once because it loads neither Temporal nor anything else that is large."""
    script = "import sys; from cli.main import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_help_has_examples_and_the_lists_sentence(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What the list says of a command is what the command says of itself, and each shows how to call it."""
    assert run([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"saga {name}" in text.partition("Examples:")[2]
    command = saga.get_command(click.Context(saga), name)
    assert command is not None
    assert command.name == name


@pytest.mark.parametrize(("group", "name"), [(group, name) for group in GROUPS for name in sorted(_commands_of(group))])
def test_groups_commands_help_has_examples_and_the_lists_name(
    group: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line of a group's list has its file, and each command shows how to call it."""
    assert run([group, name, "--help"]) == 0
    assert f"saga {group} {name}" in capsys.readouterr().out.partition("Examples:")[2]
    assert importlib.import_module(f"cli.commands.{group}.{name}").command.name == name


@pytest.mark.parametrize("group", GROUPS)
def test_groups_have_no_file_without_a_line(group: str) -> None:
    """A command that nobody can call is noticed."""
    files = {file.stem for file in (ROOT / "cli" / "commands" / group).glob("[!_]*.py")}
    assert files <= _commands_of(group)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["valdate"], "Did you mean 'validate'?"),
        (["events", "pubish"], "Did you mean 'publish'?"),
        (["events", "nothing-like-it"], "`saga events --help` lists the commands"),
        (["nothing-like-it"], "`saga --help` lists the commands"),
        (["run"], "Missing argument"),
        (["run", "greeting", "--input", "{"], "is no JSON"),
        (["list", "--limit", "0"], "Invalid value for '--limit'"),
        (["list", "--status", "x' OR 'a"], "cannot be searched for"),
        (["validate", "nowhere"], "There is no file or folder 'nowhere'"),
        (["graph", "greting"], "did you mean 'greeting'"),
    ],
)
async def test_wrong_arguments_are_exit_code_2_with_a_plain_line(
    shell: Shell, arguments: list[str], message: str
) -> None:
    """The message says what is wrong; there is no traceback."""
    finished = await shell.saga(*arguments)
    assert finished.code == Exit.BAD_INPUT
    assert message in finished.err
    assert "Traceback" not in finished.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "greeting"],
        ["watch", "greeting/x"],
        ["show", "greeting/x"],
        ["list"],
        ["approve", "greeting/x", "ask"],
        ["signal", "greeting/x", "s"],
        ["cancel", "greeting/x"],
        ["schedules", "list"],
        ["deploy"],
        ["doctor"],
    ],
    ids=lambda arguments: arguments[0],
)
async def test_service_that_is_away_is_exit_code_3_and_names_its_address(shell: Shell, arguments: list[str]) -> None:
    """One plain line: which service, where, and what to do; never a password."""
    finished = await shell.saga(*arguments)
    assert finished.code == Exit.UNREACHABLE
    assert "127.0.0.1:1" in finished.out + finished.err
    assert "saga up" in finished.out + finished.err or "start it" in finished.err
    assert "Traceback" not in finished.err
    assert "secret" not in finished.out + finished.err


async def test_bad_settings_are_exit_code_2_and_named(shell: Shell) -> None:
    """A wrong variable is named in words."""
    finished = await shell.with_environment(SAGA_PREFETCH="many").saga("list")
    assert finished.code == Exit.BAD_INPUT
    assert "SAGA_PREFETCH" in finished.err


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
async def test_completion_prints_a_script(shell: Shell, shell_name: str) -> None:
    """The script asks `saga` itself."""
    finished = await shell.saga("completion", shell_name)
    assert finished.code == 0
    assert "_SAGA_COMPLETE" in finished.out


async def test_completion_completes_commands(shell: Shell) -> None:
    """A prefix of a command gives its name, without importing it."""
    asking = shell.with_environment(_SAGA_COMPLETE="bash_complete", COMP_WORDS="saga app", COMP_CWORD="1")
    finished = await asking.saga()
    assert finished.out.split() == ["plain,approve"]


async def test_reader_that_went_away_is_no_traceback(shell: Shell) -> None:
    """`saga ... | head -1` ends quietly."""
    reader, writer = os.pipe()
    os.close(reader)
    async with shell.running("actions", "--json", stdout=writer) as process:
        os.close(writer)
        _, err = await process.communicate()
    assert (process.returncode, err) == (Exit.BROKEN_PIPE, b"")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (BadInputError("This is wrong."), Exit.BAD_INPUT, "Error: This is wrong.\n"),
        (ReportedError(Exit.RUN_FAILED), Exit.RUN_FAILED, ""),
        (
            ServiceUnreachableError("It", "here:1", "start it"),
            Exit.UNREACHABLE,
            "It does not answer at here:1: start it",
        ),
        (KeyboardInterrupt(), Exit.INTERRUPTED, "Interrupted."),
        (ExceptionGroup("several", [BadInputError("One.")]), Exit.BAD_INPUT, "Error: One."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_run_turns_each_error_into_its_exit_code(
    error: BaseException,
    code: Exit,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The one place that decides; the message goes to stderr."""
    _failing(monkeypatch, error)
    assert run(["schema"]) == code
    assert message in capsys.readouterr().err


def test_run_logs_what_nobody_foresaw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The user gets one line; the traceback is in the log that the line names."""
    monkeypatch.chdir(tmp_path)
    _failing(monkeypatch, ZeroDivisionError("by zero\nand more"))
    assert run(["schema"]) == Exit.UNEXPECTED
    assert capsys.readouterr().err == "Unexpected error: by zero (details: .saga/logs/saga.log)\n"
    assert "ZeroDivisionError" in (tmp_path / ".saga/logs/saga.log").read_text()


def _failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make the command `schema` raise, as any of its libraries might."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(importlib.import_module("cli.commands.schema").command, "callback", fail)
