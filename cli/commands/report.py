"""`saga report`: what is slow, what fails and why, what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from cli import connections, loop
from cli.definitions import compile_files, definitions_option
from cli.exits import BadInputError
from cli.logs import log_nothing
from cli.moments import MOMENT
from cli.output import counted, print_json
from cli.report.comparison import Comparison, compare
from cli.report.document import document
from cli.report.page import page
from cli.report.terminal import print_report
from cli.settings import Settings, load_settings
from store.database import open_database
from store.report_figures import Report, Selection
from store.reports import read_report
from workflows.language.diagnostics import did_you_mean
from workflows.language.plan import Plan

_NOTHING_EVER = """There are no runs on record yet.
Workers record what runs do while they work: start `saga up` or `saga worker`, and a run with `saga run`."""


@click.command("report")
@click.argument("definition", metavar="[ID]", required=False)
@click.option("--since", type=MOMENT, default="7d", show_default=True, help="Runs that began since then.")
@click.option("--compare", "pair", nargs=2, metavar="V1 V2", help="Two versions of ID side by side.")
@click.option("--html", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a page.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document, times in seconds.")
@definitions_option
def command(
    definition: str | None,
    since: datetime,
    pair: tuple[str, str] | None,
    file: Path | None,
    as_json: bool,
    paths: tuple[Path, ...],
) -> None:
    """Report on runs: success, durations, where time goes, failures, cost.

    For each definition, or the one with this ID, and each version. The page is one file that loads nothing; the picture
    of a definition in it is drawn from the definitions on this machine.

    \b
    Examples:
      saga report
      saga report order-fulfilment --since 30d --html report.html
      saga report order-fulfilment --compare 1.0.0 1.1.0
    """
    selection = _selection(since, definition, pair)
    report = loop.run(_fetch(load_settings(), selection))
    _require_known(report)
    comparison = _comparison(report)
    if file is not None:
        _write(file, page(report, comparison, _plans(report, paths)))
        click.echo(f"{file}: {counted(sum(version.runs for version in report.versions), 'run')}.", err=as_json)
    if as_json:
        print_json(document(report, comparison))
    elif file is None:
        _print(report, comparison)


def _selection(since: datetime, definition: str | None, pair: tuple[str, str] | None) -> Selection:
    identity, _, version = (definition or "").partition("@")
    if pair and (not identity or version):
        raise BadInputError("To compare, name the definition: `saga report ID --compare V1 V2`.")
    if pair and pair[0] == pair[1]:
        raise BadInputError(f"To compare, name two versions: {pair[0]} is given twice.")
    return Selection(since, identity or None, pair or ((version,) if version else ()))


async def _fetch(settings: Settings, selection: Selection) -> Report:
    log_nothing()
    async with open_database(connections.require_database(settings), pool_size=1) as database:
        return await read_report(database, selection)


def _require_known(report: Report) -> None:
    """Refuse what has no run on record, and say what has."""
    wanted = report.selection
    if not report.known or wanted.definition is None:
        return
    _require(wanted.definition, dict.fromkeys(each.definition for each in report.known), "definition")
    versions = [each.version for each in report.known if each.definition == wanted.definition]
    for version in wanted.versions:
        _require(version, versions, f"version of {wanted.definition}")


def _require(name: str, known: Iterable[str], what: str) -> None:
    names = list(known)
    if name not in names:
        hint = did_you_mean(name, names)
        raise BadInputError(
            f"No run of a {what} {name!r} is on record{f'; {hint}' if hint else '.'} There is: {', '.join(names)}."
        )


def _comparison(report: Report) -> Comparison | None:
    """The two versions in the order in which they were named, or None where none are compared or one has no runs."""
    found = {version.version: version for version in report.versions}
    match [found.get(version) for version in report.selection.versions]:
        case [first, second] if first is not None and second is not None:
            return compare(first, second)
    return None


def _plans(report: Report, paths: tuple[Path, ...]) -> dict[tuple[str, str], Plan]:
    """The plans of the versions that are here. A report is about the past: broken definitions do not keep it back."""
    try:
        library = compile_files(paths).library
    except BadInputError:
        if paths:
            raise
        return {}
    found = {} if library is None else {(each.id, each.version): each.plan for each in library.all()}
    return {key: plan for key, plan in found.items() if any(key == (v.definition, v.version) for v in report.versions)}


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{file} cannot be written: {error.strerror}.") from error


def _print(report: Report, comparison: Comparison | None) -> None:
    if report.versions:
        print_report(report, comparison)
    elif not report.known:
        click.echo(_NOTHING_EVER)
    else:
        click.echo(_nothing_lately(report))


def _nothing_lately(report: Report) -> str:
    wanted = report.selection
    known = [each for each in report.known if wanted.definition in (None, each.definition)]
    latest = max(each.latest_at for each in known)
    return (
        f"No run began since {_shown(wanted.since)}. The latest of {counted(sum(each.runs for each in known), 'run')} "
        f"on record began {_shown(latest)}: try --since {max((datetime.now(UTC) - latest).days + 1, 1)}d."
    )


def _shown(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
