"""`saga report` against real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cli.exits import Exit
from store.database import Database
from tests.store.recorded_runs import Run, Step, add_runs
from tests.support.command_line import Shell

STEPS = [
    Step("prepare", 0, 1, attempts=1, taken=0.25, done=1),
    Step("ask", 1, 8, "approval"),
    Step("greet", 8, 10, attempts=2, taken=9, done=10),
]


@pytest.fixture
def reporting(shell: Shell, postgres_url: str) -> Shell:
    """A shell with PostgreSQL, and no other service."""
    return shell.with_environment(SAGA_DATABASE_URL=postgres_url)


async def record(database: Database, *runs: Run, ago: timedelta = timedelta(hours=1)) -> None:
    """Write runs that began at one time."""
    await add_runs(database, ((run, datetime.now(UTC) - ago) for run in runs))


async def greetings(database: Database) -> None:
    """Two versions of the definition that the shell has, and another definition."""
    failed = [Step("greet", 0, 1, status="failed", problem="bad-manners", detail="They did\x1b[2J not knock.")]
    await record(
        database,
        *(Run(f"old-{number}", STEPS, definition="greeting", version="0.9.0") for number in range(30)),
        *(
            Run(f"new-{number}", failed, 1.0, "greeting", "1.0.0", "failed", None, "bad-manners")
            for number in range(30)
        ),
        Run("other", definition="farewell"),
    )


async def test_report_shows_each_version(reporting: Shell, database: Database) -> None:
    """An overview, then the figures of each; what comes from data cannot steer the terminal."""
    await greetings(database)
    shown = await reporting.saga("report")
    assert (shown.code, shown.err) == (Exit.OK, "")
    lines = [" ".join(line.split()) for line in shown.out.splitlines()]
    for line in (
        "DEFINITION RUNS SUCCESS P50 P95 P99 RETRIES ACTIONS/RUN BOTTLENECK",
        "greeting@0.9.0 30 100 % 10 s 10 s 10 s 30 6.0 ask 70.0 %",
        "greeting@1.0.0 30 0 % 1.0 s 1.0 s 1.0 s 0 5.0 greet 100 %",
        "prepare 30 1.0 s 250 ms 750 ms 1.0 s",
        "greet 30 2.0 s 1.0 s 1.0 s 2.0 s 30",
    ):
        assert line in lines
    (failure,) = [line for line in lines if line.startswith("greet bad-manners")]
    assert failure.startswith("greet bad-manners 30 30 greeting/new-")
    assert failure.endswith("They did[2J not knock.")
    assert "\x1b" not in shown.out


async def test_report_compares_two_versions(reporting: Shell, database: Database) -> None:
    """Side by side, in the order in which they are named, with what matters marked."""
    await greetings(database)
    shown = (await reporting.saga("report", "greeting", "--compare", "0.9.0", "1.0.0")).out
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "success rate 100 % 0 % -100.0 points worse" in lines
    assert "duration p50 10 s 1.0 s -90 % better" in lines
    document = (await reporting.saga("report", "greeting", "--compare", "1.0.0", "0.9.0", "--json")).json
    assert (document["comparison"]["before"], document["comparison"]["whole"][0]["verdict"]) == ("1.0.0", "better")


async def test_report_prints_json(reporting: Shell, database: Database) -> None:
    """The figures as they are, of one version where it is named."""
    await greetings(database)
    document = (await reporting.saga("report", "greeting@0.9.0", "--json")).json
    (version,) = document["versions"]
    assert (version["runs"], version["success_rate"], version["duration_seconds"]["p50"]) == (30, 1.0, 10.0)
    assert version["critical_path"]["bottleneck"] == "ask"
    assert [(step["step"], step["mean_seconds"]) for step in version["steps"]] == [
        ("ask", 7.0),
        ("greet", 2.0),
        ("prepare", 1.0),
    ]


async def test_report_writes_a_page(reporting: Shell, database: Database) -> None:
    """With the picture of the definitions that are here; JSON beside it stays JSON."""
    await greetings(database)
    shown = await reporting.saga("report", "greeting", "--html", "report.html", "--json")
    assert shown.json["versions"]
    assert shown.err == "report.html: 60 runs.\n"
    text = (reporting.folder / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "The steps of greeting@1.0.0, coloured by time" in text
    assert "The definition greeting@0.9.0 is not among those on this machine" in text
    refused = await reporting.saga("report", "--html", "no/such/folder.html")
    assert (refused.code, "cannot be written" in refused.err) == (Exit.BAD_INPUT, True)


async def test_report_does_not_need_sound_definitions(reporting: Shell, database: Database) -> None:
    """It is about the past: what is broken here only has no picture."""
    await greetings(database)
    reporting.write("definitions/greeting.yaml", "id: [")
    assert (await reporting.saga("report", "--html", "report.html")).code == Exit.OK
    assert (await reporting.saga("report", "--html", "report.html", "-d", "missing")).code == Exit.BAD_INPUT


async def test_report_says_how_data_come(reporting: Shell, database: Database) -> None:
    """Where there are none at all; and where to look where there are older ones."""
    assert "Workers record what runs do" in (await reporting.saga("report")).out
    assert (await reporting.saga("report", "--json")).json["versions"] == []
    await record(database, Run("old"), ago=timedelta(days=20))
    shown = (await reporting.saga("report")).out
    assert "The latest of 1 run on record" in shown
    assert "try --since 21d" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("greetin",), "did you mean 'greeting'? There is: farewell, greeting."),
        (("greeting@2.0.0",), "No run of a version of greeting '2.0.0' is on record"),
        (("greeting", "--compare", "1.0.0", "3.0.0"), "There is: 1.0.0, 0.9.0."),
        (("--compare", "1.0.0", "0.9.0"), "name the definition"),
        (("greeting", "--compare", "1.0.0", "1.0.0"), "given twice"),
        (("--since", "tomorrow"), "is no moment"),
    ],
)
async def test_report_refuses_what_is_not_there(
    reporting: Shell, database: Database, arguments: tuple[str, ...], words: str
) -> None:
    """And lists what is."""
    await greetings(database)
    refused = await reporting.saga("report", *arguments)
    assert (refused.code, refused.out) == (Exit.BAD_INPUT, "")
    assert words in " ".join(refused.err.split())


async def test_report_needs_postgresql(shell: Shell) -> None:
    """A plain sentence where it is away."""
    assert (await shell.saga("report")).code == Exit.UNREACHABLE
