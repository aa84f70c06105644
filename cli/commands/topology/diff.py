"""`saga topology diff`: how the broker differs from what ought to be there; changes nothing."""

from __future__ import annotations

from pathlib import Path

import click

from bridge.amqp.comparison import compare, surplus
from bridge.amqp.connection import connected
from bridge.settings import BridgeSettings
from bridge.topology.diff import Finding, State, agrees
from bridge.topology.model import PlainRule
from cli import loop
from cli.bus import bridge_settings
from cli.connections import require_broker
from cli.exits import Exit
from cli.output import print_json, print_table
from cli.settings import load_settings
from cli.topology import print_cures, print_findings, read_topology, wanted


@click.command("diff")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(file: Path | None, as_json: bool) -> int:
    """Compare the broker with what the bridge and FILE want there.

    FILE is topology.yaml beside the definitions, where it is not named. Bindings cannot be asked for, so they are only
    known to be missing. The exit code is 2 where something is missing, differs, or is surplus: a partition beyond the
    number in FILE, for which the bridge would not start.

    \b
    Examples:
      saga topology diff
      saga topology diff definitions/topology.yaml --json | jq '.[] | select(.state == "differs")'
    """
    settings = load_settings()
    wishes = bridge_settings(settings, read_topology(file))
    findings = loop.run(_compared(require_broker(settings), wishes))
    if as_json:
        print_json([each.to_json() for each in findings])
    else:
        _print(findings)
        _print_plain(wishes.topology.plain)
    return Exit.OK if agrees(findings) else Exit.BAD_INPUT


async def _compared(url: str, wishes: BridgeSettings) -> tuple[Finding, ...]:
    async with connected(url, "saga topology diff") as connection:
        return (*await compare(connection, wanted(wishes)), *await surplus(connection, wishes.topology))


def _print(findings: tuple[Finding, ...]) -> None:
    print_findings(findings)
    print_cures(findings)
    missing = sum(each.state is State.MISSING for each in findings)
    if missing:
        click.echo(f"\n{missing} missing: `saga topology apply` declares them, and so does the bridge when it starts.")


def _print_plain(rules: tuple[PlainRule, ...]) -> None:
    """Tell whose messages need no envelope: it is on no broker, but it decides what becomes of messages."""
    if rules:
        click.echo("\nPlain payloads are events, from the start of a bridge that reads this file:")
        print_table(("ROUTING KEY", "EXCHANGE", "ID"), [(rule.key, rule.exchange or "any", rule.id) for rule in rules])
