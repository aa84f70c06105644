"""`saga versions`: the deployed versions, what they take, and which runs are still on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click
from temporalio.client import Client

from cli import connections, loop
from cli.definitions import definitions_option, load_library
from cli.exits import BadInputError
from cli.open_runs import count_open
from cli.output import print_json, print_table, when
from cli.rollouts import percentages
from cli.settings import Settings, load_settings
from contracts.json import Json
from store.database import open_database
from store.deployments import Deployment, deployments
from workflows.language.library import Library
from workflows.language.versions import version_key


@dataclass(frozen=True)
class _Row:
    """A version; `share` = percent of the new runs, None = its file is not loaded."""

    deployment: Deployment
    share: float | None
    open: int

    @property
    def state(self) -> str:
        """What is to be done about it."""
        if self.share is None:
            return "missing" if self.open else "removed"
        if self.share > 0:
            return "taking runs"
        return "draining" if self.open else "drained"


@click.command("versions")
@click.argument("definition", metavar="[ID]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@definitions_option
def command(definition: str | None, as_json: bool, paths: tuple[Path, ...]) -> None:
    """List deployed versions: their share of the new runs, and the runs that are open on them.

    STATE is "taking runs"; "draining" while runs are open on a version that takes no more; "drained" when its file may
    go; "removed" when it has gone; "missing" when it has gone while runs are open, which wait until it is back. FILE
    is where it stands in the folder that is looked at here.

    \b
    Examples:
      saga versions
      saga versions order-fulfilment --json
    """
    library = load_library(paths)
    rows = loop.run(_fetch(load_settings(), library, definition))
    if as_json:
        print_json([_document(row, library) for row in rows])
    elif rows:
        headings = ("DEFINITION", "VERSION", "DIGEST", "DEPLOYED", "SHARE", "OPEN", "STATE", "FILE")
        print_table(headings, [_cells(row, library) for row in rows])
    else:
        click.echo("Nothing was deployed yet: `saga deploy`.")


async def _fetch(settings: Settings, library: Library, definition: str | None) -> list[_Row]:
    url = connections.require_database(settings)
    async with open_database(url, pool_size=1) as database, connections.temporal(settings) as client:
        known = await deployments(database)
        rolled = library.with_percentages(await percentages(database))
        wanted = [each for each in known if definition in (None, each.definition)]
        if definition is not None and not wanted:
            raise BadInputError(f"No version of {definition!r} was deployed. `saga versions` lists what was.")
        return [await _row(client, rolled, each) for each in _in_order(wanted)]


def _in_order(found: Iterable[Deployment]) -> list[Deployment]:
    newest_first = sorted(found, key=lambda each: version_key(each.version), reverse=True)
    return sorted(newest_first, key=lambda each: each.definition)


async def _row(client: Client, library: Library, each: Deployment) -> _Row:
    number = await count_open(client, each.definition, each.version, each.digest)
    shares = {(one.version, one.plan.digest): share for one, share in library.shares(each.definition)}
    return _Row(each, shares.get((each.version, each.digest)), number)


def _cells(row: _Row, library: Library) -> tuple[str, ...]:
    each = row.deployment
    deployed = when(round(each.deployed_at.timestamp() * 1000))
    share = "-" if row.share is None else f"{row.share:g} %"
    return (
        each.definition,
        each.version,
        each.digest[:12],
        deployed,
        share,
        str(row.open),
        row.state,
        _file(row, library),
    )


def _file(row: _Row, library: Library) -> str:
    found = library.resolve(f"{row.deployment.definition}@{row.deployment.version}")
    return "" if found is None or row.share is None else found.file


def _document(row: _Row, library: Library) -> dict[str, Json]:
    return {
        "definition": row.deployment.definition,
        "version": row.deployment.version,
        "digest": row.deployment.digest,
        "deployed_at": row.deployment.deployed_at.isoformat(),
        "share": row.share,
        "open": row.open,
        "state": row.state,
        "file": _file(row, library) or None,
    }
