"""What commands print, without a service: tables, progress, problems, questions, secrets, interruption."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from cli import loop
from cli.output import clean, duration, shortened, table_lines
from cli.problems import problem_lines
from cli.progress import Names, changed_steps, failed_step, live, step_line, steps_of
from cli.prompt import ask_yes_or_no
from cli.runs import problem_of
from cli.secrets import SecretMissingError, resolve_secret
from cli.tour import TourFailedError


def state_of(*rows: tuple[str, str, int, int | None, str]) -> dict[str, Any]:
    """Return the state of a run with these steps."""
    names = ("path", "status", "started", "ended", "detail")
    return {"status": "running", "records": [dict(zip(names, row, strict=True)) for row in rows]}


def test_table_lines_align_columns_and_disarm_control_characters() -> None:
    """What came from data cannot move the cursor or break a row."""
    lines = [click.unstyle(line) for line in table_lines(("A", "STATUS"), [("x\x1b[2J\ny", "failed"), ("z", "ok")])]
    assert lines == ["A       STATUS", "x[2J y  failed", "z       ok"]


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (4200, "4.2 s"),
        (42_000, "42 s"),
        (180_000, "3 min"),
        (7_200_000, "2 h"),
        (172_800_000, "2 d"),
    ],
)
def test_duration_reads_well(milliseconds: int, text: str) -> None:
    """The unit fits the size."""
    assert duration(milliseconds) == text


def test_shortened_and_clean_keep_short_plain_text() -> None:
    """Only what is too long or dangerous is changed."""
    assert (shortened("abc", 3), shortened("abcd", 3), clean("a\tb")) == ("abc", "ab…", "a b")


def test_steps_have_the_order_of_the_state_and_the_names_of_the_plan() -> None:
    """The name is found by the step's id, wherever it ran and for its compensation too."""
    rows = (
        ("b", "completed", 10, 30, ""),
        ("each[0]/a", "running", 20, None, ""),
        ("b/compensate", "running", 9, 9, ""),
    )
    steps = steps_of(state_of(*rows), {"a": "Do it"})
    assert [(step.path, step.title) for step in steps] == [("b", ""), ("each[0]/a", "Do it"), ("b/compensate", "")]


def test_steps_tell_a_problem_once_at_the_step_that_had_it() -> None:
    """The block that failed with it points there; the same problem at another time is told again."""
    rows = (
        ("early", "failed", 0, 1, "broke"),
        ("block", "failed", 2, 9, "broke"),
        ("inner", "failed", 3, 9, "broke"),
        ("other", "failed", 4, 9, "burnt"),
    )
    assert [step.detail for step in steps_of(state_of(*rows))] == ["broke", "see inner", "broke", "burnt"]


def test_changed_steps_are_the_new_and_the_different_ones() -> None:
    """A step that did not change is not told again."""
    before = state_of(("a", "running", 10, None, ""), ("b", "running", 10, None, ""))
    after = state_of(("a", "completed", 10, 20, ""), ("b", "running", 10, None, ""), ("c", "running", 20, None, ""))
    assert [step.path for step in changed_steps(before, after)] == ["a", "c"]
    assert len(changed_steps(None, after)) == 3


def test_step_line_calls_a_compensation_undone() -> None:
    """It bears the name of the step that it undoes."""
    (step,) = steps_of(state_of(("pay/compensate", "completed", 0, 50, "")))
    assert click.unstyle(step_line(step)).split() == ["↺", "pay", "undone", "50", "ms"]


@pytest.mark.parametrize("names", [{}, {"step": "n" * 200}, {"other": "short"}])
def test_step_line_keeps_to_100_columns(names: Names) -> None:
    """Whatever ids, names and details are."""
    for path in ("step", "step" * 100):
        (step,) = steps_of(state_of((path, "failed", 0, 50, "x" * 300)), names)
        line = click.unstyle(step_line(step, names))
        assert line.endswith("…")
        assert len(line) < 100 or path != "step"


def test_step_line_names_the_step_beside_its_id() -> None:
    """There is a column for names as soon as the plan has one."""
    names = {"pay": "Take the money"}
    pay, ship = steps_of(state_of(("pay", "completed", 0, 12, ""), ("ship", "running", 0, None, "")), names)
    assert click.unstyle(step_line(pay, names)) == "  ✓ pay                  Take the money completed 12 ms"
    assert click.unstyle(step_line(ship, names)) == "  ● ship                                running"


def test_failed_step_is_the_last_that_failed_and_no_compensation() -> None:
    """That is the step in which the run broke."""
    rows = (("block", "failed", 1, 9, ""), ("block/x", "failed", 2, 9, ""), ("y/compensate", "failed", 10, 11, ""))
    assert failed_step(state_of(*rows)) == "block/x"
    assert failed_step(state_of()) is None


def test_live_prints_each_change_once_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal progress is lines, and a note is told once."""
    with live("run") as progress:
        for _ in range(2):
            progress.show(state_of(("a", "running", 10, None, "")), {})
            progress.note("No worker.")
    captured = capsys.readouterr()
    assert (len(captured.out.splitlines()), captured.err) == (1, "No worker.\n")


def test_live_draws_a_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Title, status and steps, the long list cut."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    rows = [(f"s{number}", "completed", number, number, "x" * 300) for number in range(40)]
    with live("run/1") as progress:
        progress.note("No worker.")
        progress.show(state_of(*rows, ("last", "running", 99, None, "")), {"last": "The last one"})
    out = capsys.readouterr().out
    assert all(text in out for text in ("run/1", "running", "s39", "last", "The last one", "... 16 steps before"))


def test_problem_lines_tell_what_where_and_what_is_left() -> None:
    """Undone and not undone steps are told apart."""
    left = [{"step": "pay", "action": "refund", "problem": {"detail": "no money"}}]
    document = {"type": "t", "title": "T", "detail": "d\nd", "instance": "/steps/1", "undone": ["a"], "left": left}
    lines = [click.unstyle(line).split() for line in problem_lines(document)]
    assert lines == [
        ["T", "(t)"],
        ["d", "d"],
        ["at", "/steps/1"],
        ["undone", "a"],
        ["not", "undone", "pay:", "no", "money"],
    ]


def test_problem_of_an_unknown_failure_is_a_runtime_problem() -> None:
    """Whatever Temporal says, there is a document."""
    assert problem_of(ValueError("x")).to_json()["type"] == "runtime"


@pytest.mark.parametrize(("answer", "wanted"), [("y\n", True), ("\n", True), ("No\n", False)])
async def test_question_is_answered_at_the_terminal(
    answer: str, wanted: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The event loop goes on while the person thinks; Enter means yes."""
    person, terminal = os.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        asking = asyncio.create_task(ask_yes_or_no("Sure?", yes=False))
        await asyncio.sleep(0)
        os.write(person, answer.encode())
        assert await asking is wanted
    os.close(person)
    assert "Sure? [Y/n]" in capsys.readouterr().out


async def test_question_is_not_asked_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Then, and with --yes, the answer is yes and is shown."""
    assert await ask_yes_or_no("Sure?", yes=True)
    assert capsys.readouterr().out == "Sure? [Y/n] y\n"


def test_secrets_come_from_the_environment_and_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line break at the end of a file is not part of the secret."""
    monkeypatch.setenv("TOKEN", "abc")
    (tmp_path / "token").write_text("def\n")
    assert (resolve_secret("env:TOKEN"), resolve_secret(f"file:{tmp_path}/token")) == ("abc", "def")


@pytest.mark.parametrize("reference", ["env:SAGA_NO_SUCH", "file:/no/such", "plain text"])
def test_secret_that_is_missing_names_its_reference(reference: str) -> None:
    """The reference, never a value."""
    with pytest.raises(SecretMissingError, match=reference):
        resolve_secret(reference)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_loop_closes_everything_on_a_signal(number: signal.Signals) -> None:
    """Both signals cancel the coroutine, whose blocks close what they opened."""
    closed: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            closed.append("yes")

    with pytest.raises(KeyboardInterrupt):
        loop.run(work())
    loop.serve(work())
    assert closed == ["yes", "yes"]


def test_loop_passes_on_errors_and_cancellation() -> None:
    """What no signal caused is not taken for one."""

    async def fail() -> None:
        raise TourFailedError("x")

    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(TourFailedError):
        loop.run(fail())
    with pytest.raises(asyncio.CancelledError):
        loop.run(cancelled())
