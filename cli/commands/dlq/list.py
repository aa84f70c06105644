"""`saga dlq list`: the dead letters by code and kind of reason."""

from __future__ import annotations

from typing import cast

import click

from cli import loop
from cli.letters import moment, opened_letters
from cli.output import is_terminal, print_json, print_table, shortened
from cli.settings import Settings, load_settings
from contracts.json import Json
from store.dead_letters import ALL, MOST_GROUPS, OPEN, Group, Selection, groups

_REASON_WIDTH = 100


@click.command("list")
@click.option("--all", "every", is_flag=True, help="Those that were retried or dropped too.")
@click.option("--code", help="Only those with this error code.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(every: bool, code: str | None, as_json: bool) -> None:
    """List dead letters, those with one cause in one line.

    A group is a code and what the reasons have in common, without ids and numbers. REASON and EXAMPLE are those of the
    latest letter.

    \b
    Examples:
      saga dlq list
      saga dlq list --code trigger-failed
      saga dlq list --all --json
    """
    found = loop.run(_fetch(load_settings(), Selection(ALL if every else OPEN, code)))
    is_cut = len(found) > MOST_GROUPS
    found = found[:MOST_GROUPS]
    if as_json:
        print_json([_document(group) for group in found])
    elif found:
        headings = ("LETTERS", "STATE", "GROUP", "FIRST", "LATEST", "EXAMPLE", "REASON")
        print_table(headings, [_row(group) for group in found])
        if is_cut:
            click.echo(f"... and more: these are the {MOST_GROUPS:,} largest groups; --code says which.", err=True)
    else:
        click.echo("There are no dead letters." if every else "There are no open dead letters.")


async def _fetch(settings: Settings, selection: Selection) -> list[Group]:
    async with opened_letters(settings) as database:
        return await groups(database, selection, MOST_GROUPS + 1)


def _row(group: Group) -> tuple[str, ...]:
    return (
        str(group.letters),
        group.state,
        name_of(group.code, group.fingerprint),
        moment(group.first_at),
        moment(group.last_at),
        str(group.example),
        shortened(group.reason, _REASON_WIDTH) if is_terminal() else group.reason,
    )


def name_of(code: str, fingerprint: str) -> str:
    """Return what `--group` takes."""
    return f"{code}/{fingerprint}"


def _document(group: Group) -> dict[str, Json]:
    return {
        "group": name_of(group.code, group.fingerprint),
        "code": group.code,
        "state": cast("str", group.state),
        "letters": group.letters,
        "reason": group.reason,
        "first_at": group.first_at.isoformat(),
        "last_at": group.last_at.isoformat(),
        "example": group.example,
    }
