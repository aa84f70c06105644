"""What runs did, in figures: outcomes, durations, where the time of each step went, failures, cost.

Everything is read from one snapshot, so that the figures fit each other, and summed by PostgreSQL; only the critical
path is walked here (`critical_path`), over the latest runs of each version: walking all of them would take longer than
all else together and say the same. Times are seconds. A run counts by the moment at which it began; a run that works
off a slice of another counts by its steps and its actions, as a run it does not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from store.critical_path import BLOCKS, COMPENSATION, Course, CriticalPath, Interval, critical_path
from store.database import Database, Row, Session
from store.queries import load
from store.report_figures import Bucket, Durations, Failure, Known, Report, Selection, StepTimes, VersionReport
from workflows.language.versions import version_key

BUCKETS_IN_A_DECADE: Final = 24
PEOPLE: Final = frozenset({"approval"})
EVENTS: Final = frozenset({"receive", "wait"})

_SQL: Final = load("reports")
_WALKED_RUNS: Final = 1_500
_FEWEST_WALKED, _MOST_WALKED = 20, 300
_WALKED_EVENTS: Final = 60_000

Version = tuple[str, str]


async def read_report(database: Database, selection: Selection) -> Report:
    """Return the figures of all runs that are meant, by definition, the newest version first.

    Errors as of `Database.transaction`. What does not exist gives no version; `Report.known` tells what there is.
    """
    async with database.transaction() as session:
        await session.execute(_SQL["snapshot"])
        await session.fetch(_SQL["settings"])
        known = _known(await session.fetch(_SQL["known"]))
        versions = await _versions(session, selection)
    return Report(selection, datetime.now(UTC), tuple(versions), known)


async def _versions(session: Session, selection: Selection) -> list[VersionReport]:
    chosen = (selection.since, selection.definition, list(selection.versions) or None)
    outcomes = _by_version(await session.fetch(_SQL["outcomes"], *chosen))
    actions = _by_version(await session.fetch(_SQL["actions"], *chosen))
    durations = _by_version(await session.fetch(_SQL["durations"], *chosen))
    histograms = _by_version(await session.fetch(_SQL["histogram"], *chosen, BUCKETS_IN_A_DECADE))
    steps = _by_version(await session.fetch(_SQL["steps"], *chosen))
    failures = _by_version(await session.fetch(_SQL["failures"], *chosen))
    paths = await _paths(session, selection.since, list(outcomes))
    return [
        VersionReport(
            *version,
            outcomes={row["status"]: row["runs"] for row in rows},
            ended=sum(row["runs"] for row in rows if row["ended"]),
            succeeded=sum(row["runs"] for row in rows if row["succeeded"]),
            actions=sum(row["actions"] for row in actions[version]),
            durations=_durations(durations[version], histograms[version]),
            steps=_steps(steps[version]),
            failures=tuple(map(_failure, failures[version])),
            path=paths.get(version, CriticalPath()),
        )
        for version, rows in sorted(outcomes.items(), key=lambda item: _order(*item[0]))
    ]


async def _paths(session: Session, since: datetime, versions: Sequence[Version]) -> Mapping[Version, CriticalPath]:
    if not versions:
        return {}
    runs = min(max(_WALKED_RUNS // len(versions), _FEWEST_WALKED), _MOST_WALKED)
    ids, numbers = [version[0] for version in versions], [version[1] for version in versions]
    rows = await session.fetch(_SQL["latest"], since, ids, numbers, runs, _WALKED_EVENTS // len(versions) + 1)
    return {version: critical_path(_courses(found)) for version, found in _by_version(rows).items()}


def _courses(rows: Sequence[Row]) -> Iterator[Course]:
    for _, found in groupby(rows, key=lambda row: row["id"]):
        steps = list(found)
        yield Course(steps[0]["duration"], [_interval(row) for row in steps])


def _interval(row: Row) -> Interval:
    return Interval(row["path"], row["step"], row["kind"], row["began"], row["ended"])


def _by_version(rows: Sequence[Row]) -> defaultdict[Version, list[Row]]:
    found: defaultdict[Version, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["definition"], row["version"]].append(row)
    return found


def _known(rows: Sequence[Row]) -> tuple[Known, ...]:
    return tuple(sorted((Known(**row) for row in rows), key=lambda each: _order(each.definition, each.version)))


def _order(definition: str, version: str) -> tuple[str, _Newest]:
    return definition, _Newest(version)


class _Newest:
    """Sorts versions, the highest first."""

    def __init__(self, version: str) -> None:
        self.key = version_key(version)

    def __lt__(self, other: _Newest) -> bool:
        return self.key > other.key


def _durations(rows: Sequence[Row], buckets: Sequence[Row]) -> Durations | None:
    if not rows:
        return None
    row = rows[0]
    p50, p95, p99 = row["percentiles"]
    return Durations(row["runs"], row["mean"], row["deviation"], p50, p95, p99, tuple(map(_bucket, buckets)))


def _bucket(row: Row) -> Bucket:
    number: int = row["bucket"]
    lower, upper = (10 ** (each / BUCKETS_IN_A_DECADE) for each in (number, number + 1))
    return Bucket(lower, upper, row["runs"])


def _failure(row: Row) -> Failure:
    return Failure(**{name: value for name, value in row.items() if name not in ("definition", "version")})


def _steps(rows: Sequence[Row]) -> tuple[StepTimes, ...]:
    """One figure a step from rows by kind and number of attempts; those that take the most time first."""
    found: defaultdict[tuple[str, bool], list[Row]] = defaultdict(list)
    for row in rows:
        found[row["step"], row["kind"] == COMPENSATION].append(row)
    steps = [_step(*key, members) for key, members in found.items()]
    return tuple(sorted(steps, key=lambda step: (-step.total, step.step)))


def _step(step: str, is_compensation: bool, rows: Sequence[Row]) -> StepTimes:
    parts = [_part(row) for row in rows]
    total, kind = sum(part.total for part in parts), rows[0]["kind"]
    has_attempts = kind not in BLOCKS | PEOPLE | EVENTS
    return StepTimes(
        step=step,
        kind=kind,
        is_compensation=is_compensation,
        is_block=kind in BLOCKS,
        ended=sum(row["ended"] for row in rows),
        total=total,
        squares=sum(part.squares for part in parts),
        longest=max(part.longest for part in parts),
        queueing=sum(part.until_started for part in parts if has_attempts and part.attempts == 1),
        running=sum(part.running for part in parts if has_attempts),
        retrying=sum(part.until_started for part in parts if has_attempts and part.attempts > 1),
        people=total if kind in PEOPLE else 0.0,
        events=total if kind in EVENTS else 0.0,
        retries=sum(part.retries for part in parts),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """The times of a step where it was attempted so often; 0 attempts = nothing is recorded about them."""

    attempts: int
    total: float
    squares: float
    longest: float
    until_started: float
    running: float
    retries: int


def _part(row: Row) -> _Part:
    attempts, mean = row["attempts"] or 0, row["mean"] or 0.0
    total = mean * row["ended"]
    return _Part(
        attempts=attempts,
        total=total,
        squares=((row["variance"] or 0.0) + mean**2) * row["ended"],
        longest=row["longest"].total_seconds() if row["longest"] else 0.0,
        until_started=max(row["until_started"] or 0.0, 0.0),
        running=max(row["running"] or 0.0, 0.0) if attempts else total,
        retries=max(attempts - 1, 0) * row["entered"],
    )
