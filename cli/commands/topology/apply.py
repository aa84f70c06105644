"""`saga topology apply`: declares on the broker what is missing; deletes nothing."""

from __future__ import annotations

from pathlib import Path

import click

from bridge.amqp.comparison import apply, compare, surplus
from bridge.amqp.connection import connected
from bridge.settings import BridgeSettings
from bridge.topology.diff import Finding, State
from cli import loop
from cli.bus import bridge_settings
from cli.connections import require_broker
from cli.exits import Exit
from cli.output import counted, print_json
from cli.queue_members import members_of
from cli.settings import load_settings
from cli.topology import print_cures, print_findings, read_topology, unchangeable, wanted
from contracts.json import Json


@click.command("apply")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be declared.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document: what was declared, what cannot be.")
def command(file: Path | None, dry_run: bool, as_json: bool) -> int:
    """Declare on the broker what the bridge and FILE want there and what is missing.

    What exists with other properties is left as it is, and so is what nobody wants: nothing is ever deleted. The exit
    code is 2 where something differs, or there are more partitions than FILE says. It is told on how many nodes of a
    cluster the queues are, and how to grow them.

    \b
    Examples:
      saga topology apply --dry-run
      saga topology apply definitions/topology.yaml
    """
    settings = load_settings()
    wishes = bridge_settings(settings, read_topology(file))
    url = require_broker(settings)
    findings = loop.run(_applied(url, wishes, dry_run))
    members = loop.run(members_of(settings, url, [queue.name for queue in wanted(wishes).queues]))
    if as_json:
        print_json(_document(findings, dry_run) | {"members": members.to_json()})
    else:
        _print(findings, dry_run)
        click.echo(f"Cluster: {members}.")
        if members.cure:
            click.echo(f"  Grow them: {members.cure}")
    return Exit.BAD_INPUT if unchangeable(findings) else Exit.OK


async def _applied(url: str, wishes: BridgeSettings, dry_run: bool) -> tuple[Finding, ...]:
    async with connected(url, "saga topology apply") as connection:
        findings = await (compare if dry_run else apply)(connection, wanted(wishes))
        return (*findings, *await surplus(connection, wishes.topology))


def _print(findings: tuple[Finding, ...], dry_run: bool) -> None:
    missing, stuck = _missing(findings), unchangeable(findings)
    if missing or stuck:
        print_findings((*missing, *stuck))
        click.echo()
    made = "would be declared" if dry_run else "declared"
    click.echo(f"{counted(len(missing), 'part')} {made}, {len(stuck)} cannot be changed.")
    print_cures(findings)


def _missing(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(each for each in findings if each.state is State.MISSING)


def _document(findings: tuple[Finding, ...], dry_run: bool) -> dict[str, Json]:
    return {
        "dry_run": dry_run,
        "declared": [each.to_json() for each in _missing(findings)],
        "cannot_change": [{**each.to_json(), "cure": each.cure} for each in unchangeable(findings)],
    }
