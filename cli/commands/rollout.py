"""`saga rollout`: which share of the new runs a version takes, from now on."""

from __future__ import annotations

import getpass
from dataclasses import dataclass

import click

from cli import connections, loop
from cli.exits import BadInputError
from cli.output import print_json
from cli.settings import Settings, load_settings
from contracts.json import Json
from store.database import Database, open_database
from store.deployments import deployments
from store.rollouts import clear_rollout, rollouts, set_rollout
from workflows.language.versions import version_key


@dataclass(frozen=True)
class _Wanted:
    definition: str
    version: str
    percent: float | None


@click.command("rollout")
@click.argument("definition", metavar="ID")
@click.argument("version", metavar="VERSION")
@click.option("--percent", type=click.FloatRange(0, 100), help="Of the new runs; 0 takes the version back at once.")
@click.option("--as-written", is_flag=True, help="Go back to what the version's file says.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(definition: str, version: str, percent: float | None, as_written: bool, as_json: bool) -> None:
    """Set which share of the new runs a version takes, without a change of files.

    It counts within two seconds in all workers and bridges. 0 is an instant rollback: new runs follow the next lower
    version, open runs keep the one that they have. 100 is everything. `saga versions` shows what comes of it.

    \b
    Examples:
      saga rollout order-fulfilment 1.1.0 --percent 10
      saga rollout order-fulfilment 1.1.0 --percent 0
      saga rollout order-fulfilment 1.1.0 --as-written
    """
    if (percent is None) is not as_written:
        raise BadInputError("Say --percent N, or --as-written.")
    before = loop.run(_change(load_settings(), _Wanted(definition, version, percent)))
    if as_json:
        print_json(_document(_Wanted(definition, version, percent), before))
    else:
        _print(_Wanted(definition, version, percent), before)


async def _change(settings: Settings, wanted: _Wanted) -> float | None:
    """Set it, and return what was set before."""
    async with open_database(connections.require_database(settings), pool_size=1) as database:
        await _require_deployed(database, wanted)
        key = (wanted.definition, wanted.version)
        before = {(each.definition, each.version): each.percent for each in await rollouts(database)}
        if wanted.percent is None:
            await clear_rollout(database, *key)
        else:
            await set_rollout(database, *key, wanted.percent, getpass.getuser())
    return before.get(key)


async def _require_deployed(database: Database, wanted: _Wanted) -> None:
    found = (each.version for each in await deployments(database) if each.definition == wanted.definition)
    versions = sorted(found, key=version_key, reverse=True)
    if wanted.version not in versions:
        known = f"Deployed: {', '.join(versions)}." if versions else "No version of it was deployed: `saga deploy`."
        raise BadInputError(f"{wanted.definition} {wanted.version} was not deployed. {known}")
    if wanted.percent == 0 and len(versions) == 1:
        raise BadInputError(f"{wanted.version} is the only version of {wanted.definition}: nothing could follow.")


def _print(wanted: _Wanted, before: float | None) -> None:
    name = click.style(f"{wanted.definition} {wanted.version}", bold=True)
    was = "as its file says" if before is None else f"{before:g} %"
    now = "what its file says" if wanted.percent is None else f"{wanted.percent:g} % of the new runs"
    click.echo(f"{name} takes {now} (before: {was}). Workers and bridges follow within two seconds.")
    click.echo("Its triggers and schedules count at 100 %; `saga deploy` makes the schedules follow.")


def _document(wanted: _Wanted, before: float | None) -> dict[str, Json]:
    return {
        "definition": wanted.definition,
        "version": wanted.version,
        "percent": wanted.percent,
        "before": before,
    }
