"""The figures of reports against small data that was computed by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from store.database import Database
from store.report_figures import Report, Selection, StepTimes, VersionReport
from store.reports import read_report
from tests.store.recorded_runs import Run, Step, add_runs

NOW = datetime.now(UTC)
WEEK = Selection(NOW - timedelta(days=7))


async def record(database: Database, *runs: Run, ago: timedelta = timedelta(hours=1)) -> None:
    """Write runs that began at one time, a second apart in their order."""
    await add_runs(database, ((run, NOW - ago + timedelta(seconds=number)) for number, run in enumerate(runs)))


async def only(database: Database, selection: Selection = WEEK) -> VersionReport:
    """Read the report of the one version there is."""
    (version,) = (await read_report(database, selection)).versions
    return version


def named(version: VersionReport, step: str, *, undoing: bool = False) -> StepTimes:
    """Return the times of a step."""
    (found,) = [each for each in version.steps if each.step == step and each.is_compensation == undoing]
    return found


async def test_report_of_an_empty_database_is_empty(database: Database) -> None:
    """No version, nothing known."""
    report = await read_report(database, WEEK)
    assert (report.versions, report.known) == ((), ())


async def test_report_counts_outcomes(database: Database) -> None:
    """Completed and recovered are successes; open runs count as runs, not as ended."""
    await record(
        database,
        Run("a"),
        Run("b", status="recovered", problem="timeout"),
        Run("c", status="compensated", problem="timeout"),
        Run("d", status="waiting", seconds=None),
    )
    version = await only(database)
    assert dict(version.outcomes) == {"completed": 1, "recovered": 1, "compensated": 1, "waiting": 1}
    assert (version.runs, version.ended, version.succeeded, version.success_rate) == (4, 3, 2, 2 / 3)


async def test_report_reads_durations(database: Database) -> None:
    """Percentiles between neighbours, mean, spread, and a histogram in which each run is once."""
    await record(database, *(Run(str(seconds), seconds=float(seconds)) for seconds in range(1, 102)))
    times = (await only(database)).durations
    assert times is not None
    assert (times.runs, times.mean, times.p50, times.p95, times.p99) == (101, 51, 51, 96, 100)
    assert times.deviation == pytest.approx(29.3, abs=0.01)
    assert sum(bucket.runs for bucket in times.histogram) == 101
    assert all(bucket.lower < bucket.upper for bucket in times.histogram)
    assert times.histogram[0].lower == 1


async def test_report_takes_runs_that_took_no_time(database: Database) -> None:
    """They are in the first bucket."""
    await record(database, Run("a", seconds=0.0), Run("b", status="running", seconds=None))
    times = (await only(database)).durations
    assert times is not None
    assert (times.runs, times.p99, times.deviation, len(times.histogram)) == (1, 0, 0, 1)


async def test_report_splits_the_time_of_steps(database: Database) -> None:
    """A first attempt queues and runs; a later one retries and runs; waiting has its owner; the rest is hand-over."""
    await record(
        database,
        Run("a", [Step("charge", 0, 4, attempts=1, taken=1, done=3.5), Step("ask", 4, 9, "approval")]),
        Run("b", [Step("charge", 0, 8, attempts=3, taken=6, done=8), Step("pause", 8, 10, "wait")]),
        Run("c", [Step("child", 0, 3, "workflow"), Step("paid", 3, 7, "receive")]),
    )
    version = await only(database)
    charge = named(version, "charge")
    assert (charge.ended, charge.total, charge.mean, charge.longest, charge.retries) == (2, 12, 6, 8, 2)
    assert (charge.queueing, charge.running, charge.retrying, charge.handover) == (1, 4.5, 6, 0.5)
    assert charge.deviation == pytest.approx(8**0.5)
    assert (named(version, "ask").people, named(version, "ask").running) == (5, 0)
    assert [named(version, step).events for step in ("pause", "paid")] == [2, 4]
    assert named(version, "child").running == 3
    assert [step.step for step in version.main_steps] == ["charge", "ask", "paid", "child", "pause"]


async def test_report_puts_items_together_and_compensations_apart(database: Database) -> None:
    """By step id; what is open or skipped has no time; a block's time is that of what it holds."""
    await record(
        database,
        Run(
            "a",
            [
                Step("pack", 0, 5, "foreach"),
                *(Step(f"pack[{item}]/weigh", item, item + 1) for item in range(4)),
                Step("weigh/compensate", 5, 7, "compensation"),
                Step("skip", 0, 0, status="skipped"),
                Step("later", 7, None, status="running", attempts=2, taken=8, done=9),
            ],
            seconds=None,
            status="running",
        ),
    )
    version = await only(database)
    assert (named(version, "weigh").ended, named(version, "weigh").total) == (4, 4)
    assert [(step.step, step.total) for step in version.compensations] == [("weigh", 2)]
    assert [step.step for step in version.main_steps] == ["weigh", "later"]
    assert (named(version, "pack").is_block, named(version, "pack").handover) == (True, 0)
    later = named(version, "later")
    assert (later.ended, later.mean, later.retrying, later.retries) == (0, 0, 0, 1)


async def test_report_counts_slices_as_steps_and_cost_only(database: Database) -> None:
    """A run that works off a slice is no run that somebody asked for."""
    retried = [Step("pack[0]/weigh", 0, 2, attempts=3, taken=1, done=2)]
    await record(database, Run("a", actions=4), Run("slice", retried, part_of="a", actions=6))
    version = await only(database)
    assert (version.runs, version.retries, version.actions_per_run) == (1, 2, 12)
    assert named(version, "weigh").total == 2
    assert version.durations is not None
    assert version.durations.runs == 1


async def test_report_groups_failures(database: Database) -> None:
    """By step and type, the latest run as example; blocks only where nothing in them failed; runs without a step."""
    failed = Step("charge", 0, 1, status="failed", problem="declined", detail="old")
    undoing = Step("charge/compensate", 0, 1, "compensation", "failed", problem="declined")
    await record(
        database,
        Run("a", [failed], status="compensated", problem="declined"),
        Run(
            "b",
            [
                Step("charge", 0, 1, status="failed", problem="declined", detail="new"),
                Step("both", 0, 1, "parallel", status="failed", problem="declined"),
            ],
            status="compensated",
            problem="declined",
        ),
        Run("c", [Step("each", 0, 1, "foreach", "failed", problem="runtime")], status="failed", problem="runtime"),
        Run("d", [Step("ask", 0, 1, "approval", status="rejected")]),
        Run("e", [undoing], status="rollback-incomplete"),
        Run("f", status="failed", problem="input-invalid", detail="No name."),
        Run("g", status="recovered", problem="input-invalid"),
    )
    version = await only(database)
    found = {(each.step, each.is_compensation, each.problem_type): each for each in version.failures}
    assert {key: (each.failures, each.runs, each.example) for key, each in found.items()} == {
        ("charge", False, "declined"): (2, 2, "order/b"),
        ("each", False, "runtime"): (1, 1, "order/c"),
        ("ask", False, "rejected"): (1, 1, "order/d"),
        ("charge", True, "declined"): (1, 1, "order/e"),
        (None, False, "input-invalid"): (1, 1, "order/f"),
    }
    assert version.failures[0].detail == "new"
    assert found[None, False, "input-invalid"].detail == "No name."


async def test_report_walks_critical_paths_of_ended_runs(database: Database) -> None:
    """By step id, with its share of their time."""
    steps = [Step("a", 0, 2), Step("b", 2, 3), Step("c", 2, 10)]
    await record(database, Run("a", steps), Run("b", steps), Run("c", steps[:1], seconds=None, status="waiting"))
    path = (await only(database)).path
    assert (path.runs, [(stop.step, stop.share) for stop in path.stops]) == (2, [("a", 0.2), ("c", 0.8)])


async def test_report_walks_a_long_run_alone(database: Database) -> None:
    """A run of very many events leaves no room for the ones before it, and is walked itself."""
    await record(database, Run("a", [Step("early", 0, 10)]), Run("b", [Step("late", 0, 10)]))
    await database.fetch("update saga.runs set sequence = 100000 where id = 'b'")
    assert [stop.step for stop in (await only(database)).path.stops] == ["late"]


async def test_report_takes_what_is_selected(database: Database) -> None:
    """By time, definition and versions; the newest version first, by its numbers; what is known is not narrowed."""
    await record(database, *(Run(f"v{version}", version=version) for version in ("1.9.0", "1.10.0")))
    await record(database, Run("other", definition="invoice"))
    await record(database, Run("old", version="0.1.0"), ago=timedelta(days=9))

    async def names(selection: Selection) -> list[str]:
        return [version.name for version in (await read_report(database, selection)).versions]

    since = WEEK.since
    assert await names(WEEK) == ["invoice@1.0.0", "order@1.10.0", "order@1.9.0"]
    assert await names(Selection(since, "order")) == ["order@1.10.0", "order@1.9.0"]
    assert await names(Selection(since, "order", ("1.9.0",))) == ["order@1.9.0"]
    assert await names(Selection(since, "nothing")) == []
    report: Report = await read_report(database, Selection(NOW))
    assert [(each.definition, each.version, each.runs) for each in report.known] == [
        ("invoice", "1.0.0", 1),
        ("order", "1.10.0", 1),
        ("order", "1.9.0", 1),
        ("order", "0.1.0", 1),
    ]


async def test_views_say_the_same_as_the_report(database: Database) -> None:
    """What a tool sums up from saga.step_times is what `saga report` shows."""
    await record(
        database,
        Run(
            "a",
            [
                Step("charge", 0, 4, attempts=1, taken=1, done=3),
                Step("ship", 4, 9, attempts=2, taken=6, done=9),
                Step("ask", 9, 10, "approval"),
                Step("pause", 9, 10, "wait"),
                Step("note", 9, 10, "set"),
                Step("both", 0, 9, "parallel"),
                Step("charge/compensate", 10, 11, "compensation", attempts=1, taken=10, done=11),
            ],
        ),
    )
    rows = await database.fetch("select * from saga.step_times")
    assert len(rows) == 7
    version = await only(database)
    for row in rows:
        step = named(version, row["step"], undoing=row["is_compensation"])
        assert step.is_block == row["is_block"]
        for name in ("total", "queueing", "running", "retrying", "people", "events"):
            assert row[f"{name}_seconds"] == getattr(step, name), (row["path"], name)
        assert (row["retries"] or 0) == step.retries


async def test_views_are_documented(database: Database) -> None:
    """Each view of ours and each of its columns has a comment, which other tools show."""
    rows = await database.fetch(
        """
        select relname || coalesce('.' || attname, '') as name,
               case when attname is null then obj_description(view.oid, 'pg_class')
                    else col_description(view.oid, attnum) end as comment
        from pg_class view
        join pg_namespace on pg_namespace.oid = relnamespace and nspname = 'saga'
        cross join lateral (
            select null::name as attname, 0 as attnum
            union all select a.attname, a.attnum from pg_attribute a where attrelid = view.oid and a.attnum > 0
        ) as columns
        where relkind = 'v' and relname in ('run_outcomes', 'step_times')
        """
    )
    assert len(rows) > 30
    assert [row["name"] for row in rows if not row["comment"]] == []
