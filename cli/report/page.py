"""The report as one HTML page that needs nothing beside it: no script, no font, no picture, no request.

Its Content-Security-Policy says so to the browser too, so that even a mistake of ours in escaping could load nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from itertools import groupby

from cli.report import charts, units
from cli.report.comparison import Comparison, Line
from cli.report.graph import graph
from cli.report.layout import laid_out
from cli.report.markup import Child, Markup, element, joined
from cli.report.terminal import step_name
from store.report_figures import Failure, Report, VersionReport
from workflows.language.plan import Plan

Plans = Mapping[tuple[str, str], Plan]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_HALF_A_PAGE = 500
_MOMENT = "%d %b %Y, %H:%M UTC"
_VERDICTS = {"better": "better", "worse": "worse", "too few": "too few runs", "alike": ""}


def page(report: Report, comparison: Comparison | None, plans: Plans) -> str:
    """Return the page.

    Args:
        report: The figures.
        comparison: Of two of its versions, or None.
        plans: For each version that is on this machine, its plan: without it the version has no picture.
    """
    style = resources.files("cli.report").joinpath("style.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{_title(report)} · report"),
        element("style", Markup(style)),
    )
    body = element("body", element("main", _heading(report), _contents(report, comparison, plans)))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _title(report: Report) -> str:
    return report.selection.definition or "All definitions"


def _heading(report: Report) -> Markup:
    since = report.selection.since.strftime(_MOMENT)
    made = report.made_at.strftime(_MOMENT)
    return element(
        "header",
        element("p", "Sagawright report", class_="eyebrow"),
        element("h1", _title(report)),
        element("p", f"Runs that began between {since} and {made}", class_="muted"),
    )


def _contents(report: Report, comparison: Comparison | None, plans: Plans) -> Iterator[Markup]:
    if not report.versions:
        yield _empty()
        return
    if len(report.versions) > 1 and comparison is None:
        yield _overview(report)
    if comparison is not None:
        yield _compared(comparison)
    for definition, versions in groupby(report.versions, key=lambda version: version.definition):
        for version in versions:
            yield _version(version, plans.get((definition, version.version)))


def _empty() -> Markup:
    return element(
        "section",
        element("h2", "No run began in this time"),
        element("p", "Workers record what runs do while they work. Start a run, or report on a longer time."),
        class_="card",
    )


def _overview(report: Report) -> Markup:
    headings = ("Definition", "Version", "Runs", "Success", "p50", "p95", "p99", "Retries", "Actions per run")
    rows: list[tuple[Child, ...]] = [
        (
            element("a", version.definition, href=f"#v{place}"),
            version.version,
            units.count(version.runs),
            units.share(version.success_rate),
            *(units.length(value) for value in _percentiles(version)),
            units.count(version.retries),
            units.mean(version.actions_per_run),
        )
        for place, version in _numbered(report)
    ]
    return _card("Overview", _table(headings, rows, words=2), name="overview")


def _numbered(report: Report) -> list[tuple[str, VersionReport]]:
    return [(_anchor(version), version) for version in report.versions]


def _anchor(version: VersionReport) -> str:
    """A fragment's name; ids of definitions and versions hold nothing that one may not hold."""
    return f"-{version.definition}-{version.version}"


def _percentiles(version: VersionReport) -> tuple[float | None, float | None, float | None]:
    times = version.durations
    return (times.p50, times.p95, times.p99) if times else (None, None, None)


def _version(version: VersionReport, plan: Plan | None) -> Markup:
    heading = element("h2", version.definition, element("span", version.version, class_="version"))
    width = "wide" if plan is not None and laid_out(plan).width > _HALF_A_PAGE else ""
    cards = joined(
        _card("Outcomes", charts.outcomes(version), name="wide"),
        _durations(version),
        _steps(version),
        _picture(version, plan, width),
        _path(version, width),
        _failures(version),
        _compensations(version),
    )
    return element(
        "section", heading, _figures(version), element("div", cards, class_="cards"), id=f"v{_anchor(version)}"
    )


def _figures(version: VersionReport) -> Markup:
    p50, p95, p99 = map(units.length, _percentiles(version))
    return element(
        "dl",
        _figure("Runs", units.count(version.runs), f"{units.count(version.ended)} ended"),
        _figure("Success", units.share(version.success_rate), "completed or recovered"),
        _figure("Duration p50", p50, "half are faster"),
        _figure("p95", p95, "19 of 20 are faster"),
        _figure("p99", p99, "99 of 100 are faster"),
        _figure("Retries", units.count(version.retries), "further attempts"),
        _figure("Cost", units.mean(version.actions_per_run), "actions per run"),
        class_="figures",
    )


def _figure(name: str, value: str, about: str) -> Markup:
    return element("div", element("dt", name), element("dd", value), element("small", about))


def _durations(version: VersionReport) -> Markup:
    if version.durations is None:
        return _card("Duration of runs", _none("No run has ended yet."), name="wide")
    about = f"{units.count(version.durations.runs)} ended runs, waiting included; the axis is logarithmic"
    return _card("Duration of runs", charts.durations(version.durations), about, name="wide")


def _steps(version: VersionReport) -> Markup:
    steps = version.main_steps
    if not steps:
        return _card("Time per step", _none("No step was carried out."), name="wide")
    return _card(
        "Time per step",
        joined(charts.parts_legend(steps), charts.step_rows(steps)),
        "what one takes on average, and what that time is made of",
        name="wide",
    )


def _picture(version: VersionReport, plan: Plan | None, width: str) -> Markup:
    if plan is None:
        words = f"The definition {version.name} is not among those on this machine: name it by --definitions."
        return _card("The definition, by time", _none(words))
    scale = [element("i", class_=f"heat-{heat}") for heat in range(5)]
    legend = element("p", "less time ", scale, " more time; ↺ can be undone", class_="scale")
    picture = element("div", graph(plan, version), class_="scroll")
    return _card("The definition, by time", joined(legend, picture), name=width)


def _path(version: VersionReport, width: str) -> Markup:
    if not version.path.stops:
        return _card("Critical path", _none("No run with steps has ended yet."), name=width)
    about = f"share of the time of the latest {units.count(version.path.runs)} ended runs"
    return _card("Critical path", charts.critical_path(version.path), about, name=width)


def _failures(version: VersionReport) -> Markup:
    if not version.failures:
        return _card("Failures", _none("No step failed."), name="wide")
    headings = ("Step", "Problem", "Failures", "Runs", "Latest example")
    rows = [_failure(failure) for failure in version.failures]
    return _card("Failures", _table(headings, rows, words=2, tail=1), name="wide failures")


def _failure(failure: Failure) -> tuple[Child, ...]:
    example = joined(element("code", failure.example), element("small", failure.detail) if failure.detail else None)
    counts = units.count(failure.failures), units.count(failure.runs)
    return step_name(failure), element("code", failure.problem_type), *counts, example


def _compensations(version: VersionReport) -> Markup | None:
    steps = version.compensations
    if not steps:
        return None
    rows = joined(charts.parts_legend(steps), charts.step_rows(steps))
    return _card("Compensations", rows, "the undoing of steps", name="wide")


def _compared(comparison: Comparison) -> Markup:
    before, after = comparison.before.version, comparison.after.version
    headings = ("", before, after, "Change", "Matters")
    rows = [_line(line) for line in comparison.whole]
    steps = [_line(line) for line in comparison.steps]
    count = len(comparison.matters)
    about = f"{count or 'no'} difference{'' if count == 1 else 's'} beyond chance and large enough to care"
    tables = element("div", _table(headings, rows, tail=1), _table(("Step, mean", *headings[1:]), steps, tail=1))
    return _card(f"{before} against {after}", tables, about, name="compared")


def _line(line: Line) -> tuple[Child, ...]:
    verdict = _VERDICTS[line.verdict]
    badge = element("span", verdict, class_=f"verdict {line.verdict.split()[0]}") if verdict else ""
    return line.name, line.before, line.after, line.change, badge


def _table(headings: tuple[str, ...], rows: list[tuple[Child, ...]], *, words: int = 1, tail: int = 0) -> Markup:
    """A table whose first `words` and last `tail` columns are words; the others are numbers, to the right."""

    def cell(tag: str, place: int, content: Child) -> Markup:
        is_number = words <= place < len(headings) - tail
        return element(tag, content, class_="number" if is_number else None)

    head = element("tr", (cell("th", place, name) for place, name in enumerate(headings)))
    body = [element("tr", (cell("td", place, each) for place, each in enumerate(row))) for row in rows]
    return element("div", element("table", element("thead", head), element("tbody", body)), class_="scroll")


def _card(title: str, content: Markup, about: str = "", *, name: str = "") -> Markup:
    heading = element("h3", title, element("small", about) if about else None)
    return element("div", heading, content, class_=f"card {name}".strip())


def _none(words: str) -> Markup:
    return element("p", words, class_="none")
