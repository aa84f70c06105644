"""The report as tables on a terminal: the overview, then each version by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from cli.output import clean, coloured, counted
from cli.report import units
from cli.report.comparison import Comparison, Line
from store.critical_path import CriticalPath
from store.report_figures import Failure, Report, StepTimes, VersionReport

_BAR = 20
_EXAMPLE = 48
_MARKS = {"better": ("better", "green"), "worse": ("worse", "red"), "too few": ("too few", "bright_black")}


def print_report(report: Report, comparison: Comparison | None) -> None:
    """Print all of it."""
    if len(report.versions) > 1 and comparison is None:
        _table(_OVERVIEW, [_overview(version) for version in report.versions])
    if comparison is not None:
        _compared(comparison)
    for version in report.versions:
        _version(version)


_OVERVIEW = ("DEFINITION", ">RUNS", ">SUCCESS", ">P50", ">P95", ">P99", ">RETRIES", ">ACTIONS/RUN", "BOTTLENECK")


def _overview(version: VersionReport) -> tuple[str, ...]:
    times = version.durations
    bottleneck = version.path.bottleneck
    return (
        version.name,
        units.count(version.runs),
        units.share(version.success_rate),
        *(units.length(value) for value in ((times.p50, times.p95, times.p99) if times else (None,) * 3)),
        units.count(version.retries),
        units.mean(version.actions_per_run),
        f"{bottleneck.step} {units.share(bottleneck.share)}" if bottleneck else units.NONE,
    )


def _version(version: VersionReport) -> None:
    click.echo()
    click.secho(clean(f"{version.name}"), bold=True)
    click.echo(f"  {_summary(version)}")
    click.echo(f"  {_outcomes(version)}")
    _section("Time per step (means)", _STEPS, [_step(step) for step in version.main_steps])
    _path(version.path)
    _section("Compensations (means)", _STEPS, [_step(step) for step in version.compensations])
    _section("Failures", _FAILURES, [_failure(failure) for failure in version.failures])


def _summary(version: VersionReport) -> str:
    times = version.durations
    durations = (
        "none has ended"
        if times is None
        else f"p50 {units.length(times.p50)}, p95 {units.length(times.p95)}, p99 {units.length(times.p99)}"
    )
    success = f"success {units.share(version.success_rate)}"
    cost = f"retried attempts {units.count(version.retries)}, actions per run {units.mean(version.actions_per_run)}"
    return "; ".join((f"{counted(version.runs, 'run')}, {success}", durations, cost))


def _outcomes(version: VersionReport) -> str:
    ordered = sorted(version.outcomes.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{coloured(clean(status))} {units.count(runs)}" for status, runs in ordered)


_PARTS = (">QUEUEING", ">RUNNING", ">RETRYING", ">PEOPLE", ">EVENTS", ">HAND-OVER")
_STEPS = ("STEP", ">TIMES", ">TOTAL", *_PARTS, ">LONGEST", ">RETRIES")


def _step(step: StepTimes) -> tuple[str, ...]:
    parts = (step.queueing, step.running, step.retrying, step.people, step.events, step.handover)
    return (
        step.step,
        units.count(step.ended),
        units.length(step.mean),
        *(units.length(part / step.ended) if step.ended and part else "" for part in parts),
        units.length(step.longest),
        units.count(step.retries) if step.retries else "",
    )


_FAILURES = ("STEP", "PROBLEM", ">FAILURES", ">RUNS", "EXAMPLE", "DETAIL")


def _failure(failure: Failure) -> tuple[str, ...]:
    return (
        step_name(failure),
        failure.problem_type,
        units.count(failure.failures),
        units.count(failure.runs),
        failure.example,
        _cut(failure.detail),
    )


def step_name(failure: Failure) -> str:
    """Return where it failed, for people."""
    if failure.step is None:
        return "(the run)"
    return f"{failure.step} (undoing)" if failure.is_compensation else failure.step


def _path(path: CriticalPath) -> None:
    if not path.stops:
        return
    rows = [
        (
            f"{stop.step} (undoing)" if stop.is_compensation else stop.step,
            units.share(stop.share),
            units.count(stop.runs),
            units.count(stop.led),
            "█" * round(stop.share * _BAR) + ("  bottleneck" if stop is path.bottleneck else ""),
        )
        for stop in path.stops
    ]
    if path.seconds:
        rows.append(("(between steps)", units.share(path.between / path.seconds), "", "", ""))
    _section(
        f"Critical path of the latest {counted(path.runs, 'run')}", ("STEP", ">SHARE", ">RUNS", ">LONGEST", ""), rows
    )


def _compared(comparison: Comparison) -> None:
    headings = ("", f">{comparison.before.version}", f">{comparison.after.version}", ">CHANGE", "MATTERS")
    rows = [_line(line) for line in (*comparison.whole, *comparison.steps)]
    click.echo()
    click.secho(clean(comparison.before.definition), bold=True)
    _table(headings, rows)
    if not comparison.matters:
        click.echo("No difference matters: each is small, or may be chance.")


def _line(line: Line) -> tuple[str, ...]:
    word, _ = _MARKS.get(line.verdict, ("", ""))
    return line.name, line.before, line.after, line.change, word


def _section(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if rows:
        click.echo(f"\n  {title}")
        _table(headings, rows, indent="  ")


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], indent: str = "") -> None:
    for line in _lines(headings, rows):
        click.echo(f"{indent}{line}".rstrip())


def _lines(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table in which columns whose heading begins with `>` stand to the right."""
    names = [heading.removeprefix(">") for heading in headings]
    cells = [[clean(cell) for cell in row] for row in (names, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for number, row in enumerate(cells):
        padded = [
            cell.rjust(width) if heading.startswith(">") else cell.ljust(width)
            for cell, width, heading in zip(row, widths, headings, strict=True)
        ]
        yield click.style("  ".join(padded), bold=True) if number == 0 else _marked("  ".join(padded), row[-1])


def _marked(line: str, last: str) -> str:
    """The verdict at the end of a line in its colour."""
    word, colour = _MARKS.get(last, ("", ""))
    text = line.rstrip()
    return text.removesuffix(word) + click.style(word, fg=colour) if word and text.endswith(word) else line


def _cut(text: str) -> str:
    return text if len(text) <= _EXAMPLE else text[: _EXAMPLE - 1] + "…"
