"""`saga dlq retry`: dead letters back onto the bus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import click

from bridge.retry import Progress, begin
from cli import loop
from cli.bar import progress_bar
from cli.bus import publishing
from cli.exits import Exit
from cli.letters import Which, count_meant, opened_letters, pages_meant, which, which_options
from cli.output import clean, counted, print_json
from cli.settings import Settings, load_settings
from cli.topology import read_topology
from contracts.errors import SagaError
from contracts.json import Json
from store.dead_letters import fingerprint_of

_MOST_NAMED = 5
_MOST_REASONS = 20


@click.command("retry")
@which_options
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(ids: tuple[int, ...], group: str | None, every: bool, as_json: bool) -> int:
    """Publish dead letters again, after what was wrong has been put right.

    An event keeps its id and comes as a replay: what it did the first time is not done again. What is no event, whose
    time is over, or whose id is that of another event, stays as it is, and the exit code is then 1; `saga dlq edit`
    changes it. `saga dlq show` says what became of it; an event that fails again is a new dead letter.

    \b
    Examples:
      saga dlq retry 7
      saga dlq retry --group run-not-found/3fa9c1d0
      saga dlq retry --all
    """
    wanted, progress = which(ids, group, every), Progress()
    try:
        loop.run(_retry(load_settings(), wanted, progress))
    except (SagaError, KeyboardInterrupt):
        if progress.passed:
            _report(progress, as_json=as_json)
        raise
    _report(progress, as_json=as_json)
    return Exit.RUN_FAILED if progress.left else Exit.OK


async def _retry(settings: Settings, wanted: Which, progress: Progress) -> None:
    way = publishing(settings)
    async with opened_letters(settings) as database:
        total = await count_meant(database, wanted)
        retry = await begin(database, progress, read_topology().plain)
        async with way as publisher:
            with progress_bar("Retrying", total) as told:
                await retry.run(pages_meant(database, wanted), publisher, told)


def _report(progress: Progress, *, as_json: bool) -> None:
    if as_json:
        left: list[Json] = [{"id": identity, "reason": reason} for identity, reason in progress.left.items()]
        still_open: dict[str, Json] = {"still_open": list(progress.unclosed)} if progress.unclosed else {}
        print_json({"retried": list(progress.published), "left": left, **still_open})
        return
    left_open = f", {len(progress.left)} left" if progress.left else ""
    click.echo(f"{counted(len(progress.published), 'dead letter')} published again{left_open}.")
    if progress.unclosed:
        count = len(progress.unclosed)
        click.echo(
            f"  {count} of them could not be closed and are still open; retried once more they do nothing twice."
        )
    for line in _reasons(progress.left):
        click.echo(line)


def _reasons(left: Mapping[int, str]) -> Iterator[str]:
    """Yield a line for each kind of reason, with the reason of the first letter that has it."""
    kinds: defaultdict[str, list[int]] = defaultdict(list)
    for identity, reason in left.items():
        kinds[fingerprint_of("", reason)].append(identity)
    for ids in list(kinds.values())[:_MOST_REASONS]:
        named = ", ".join(map(str, ids[:_MOST_NAMED]))
        more = f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
        yield f"  left {named}{more}: {clean(left[ids[0]])} `saga dlq edit {ids[0]}` changes it."
    if len(kinds) > _MOST_REASONS:
        yield f"  ... and {len(kinds) - _MOST_REASONS} more kinds of reasons; --json has all."
