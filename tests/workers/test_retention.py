"""Ended runs go when their time is over, by definition and outcome; open ones stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from store.database import Database
from workers.retention import Retention
from workflows.language.compiler import compile_sources
from workflows.language.library import Library
from workflows.language.triggers import Keep

TEXT = "id: kept\nversion: 1.0.0\n{}steps: [{{id: a, type: set, vars: {{b: 1}}}}]\n"


def loaded(keep: str = "") -> Library:
    """Compile a definition with this line."""
    compilation = compile_sources({"kept.yaml": TEXT.format(keep)}, {})
    assert compilation.library is not None, compilation.diagnostics
    return compilation.library


async def add(database: Database, identity: str, definition: str, status: str, days: int | None) -> None:
    """A run that ended so many days ago, or not at all, with a row in each table."""
    await database.fetch(
        "insert into saga.runs (id, execution, workflow_id, definition, version, digest, key, status, sequence, "
        "started_at, changed_at, ended_at) values ($1, $1, $1, $2, '1.0.0', '', $1, $3, 1, now(), now(), "
        "clock_timestamp() - make_interval(days => $4))",
        *(identity, definition, status, days),
    )
    await database.fetch(
        "insert into saga.snapshots (run_id, sequence, execution, at, actions, event) "
        "values ($1, 1, $1, now(), 0, '{}')",
        identity,
    )


async def left(database: Database) -> set[str]:
    """The runs that are left, which are those that have rows elsewhere."""
    runs = {row["id"] for row in await database.fetch("select id from saga.runs")}
    assert {row["run_id"] for row in await database.fetch("select run_id from saga.snapshots")} == runs
    return runs


async def test_runs_are_kept_by_definition_and_outcome(database: Database) -> None:
    """`keep` of a loaded version comes before the setting."""
    for name, definition, status, days in (
        ("old-good", "kept", "completed", 31),
        ("new-good", "kept", "recovered", 29),
        ("old-bad", "kept", "compensated", 181),
        ("new-bad", "kept", "failed", 100),
        ("open", "kept", "waiting", None),
        ("other-old", "other", "completed", 91),
        ("other-new", "other", "completed", 89),
    ):
        await add(database, name, definition, status, days)
    library = loaded("keep: {succeeded: 30d, failed: 180d}\n")
    assert await Retention(database, lambda: library, timedelta(days=90)).purge() == 3
    assert await left(database) == {"new-good", "new-bad", "open", "other-new"}


def test_keep_is_no_part_of_the_version() -> None:
    """It may be changed under a deployed version: the digest stays."""
    plain, keeping = loaded().all()[0], loaded("keep: {failed: 1d}\n").all()[0]
    assert keeping.plan.digest == plain.plan.digest
    assert (plain.keep, keeping.keep) == (Keep(), Keep(failed=86_400.0))
    assert replace(keeping, keep=Keep()) == plain


def test_keep_takes_durations_alone() -> None:
    """Another key and what is no duration are mistakes with a place."""
    sources = {"kept.yaml": TEXT.format("keep: {good: 30d, failed: soon}\n")}
    assert len(compile_sources(sources, {}).diagnostics) == 2
