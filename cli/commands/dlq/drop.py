"""`saga dlq drop`: dead letters that nobody wants any more."""

from __future__ import annotations

import sys

import click

from cli import loop
from cli.bar import progress_bar
from cli.exits import BadInputError
from cli.letters import Which, opened_letters, states_of, which, which_options
from cli.output import counted, print_json
from cli.settings import Settings, load_settings
from contracts.errors import SagaError
from store import dead_letters


@click.command("drop")
@which_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document; with --yes.")
def command(ids: tuple[int, ...], group: str | None, every: bool, yes: bool, as_json: bool) -> None:
    """Drop dead letters: they are no longer open, and go with the others once they are old enough.

    Until then `saga dlq list --all` shows them, and `saga dlq retry ID` publishes one all the same.

    \b
    Examples:
      saga dlq drop 7
      saga dlq drop --group malformed-event/3fa9c1d0 --yes
    """
    wanted, settings = which(ids, group, every), load_settings()
    number = loop.run(_count(settings, wanted))
    if number and not yes:
        _ask(number, as_json=as_json)
    dropped = [0]
    try:
        if number:
            loop.run(_drop(settings, wanted, number, dropped))
    except (SagaError, KeyboardInterrupt):
        if dropped[-1]:
            _report(dropped[-1], as_json=as_json)
        raise
    _report(dropped[-1], as_json=as_json)


def _report(dropped: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"dropped": dropped})
    else:
        click.echo(f"{counted(dropped, 'dead letter')} dropped.")


def _ask(number: int, *, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise BadInputError(f"{counted(number, 'dead letter')} would be dropped; say --yes.")
    click.confirm(f"Drop {counted(number, 'dead letter')}?", abort=True)


async def _count(settings: Settings, wanted: Which) -> int:
    async with opened_letters(settings) as database:
        if wanted.selection is not None:
            return await dead_letters.count(database, wanted.selection)
        found = await states_of(database, wanted.ids)
        return sum(state != "dropped" for state in found.values())


async def _drop(settings: Settings, wanted: Which, number: int, dropped: list[int]) -> None:
    """Drop them; the last of `dropped` is how many, however it ends."""
    async with opened_letters(settings) as database:
        if wanted.selection is None:
            dropped.append(await dead_letters.set_state(database, wanted.ids, "dropped"))
            return
        with progress_bar("Dropping", number) as told:

            def tell(count: int) -> None:
                dropped.append(count)
                told(count)

            await dead_letters.drop(database, wanted.selection, tell)
