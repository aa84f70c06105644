"""`saga doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

import click

from cli import loop
from cli.checks import Check, all_checks
from cli.exits import Exit, ReportedError
from cli.logs import log_nothing
from cli.output import print_json, print_table
from cli.settings import load_settings


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def command(as_json: bool) -> None:
    """Check every part, and say what to do about what is wrong.

    The exit code is 3 when a service is away or not as it should be, 2 when something else is wrong.

    \b
    Examples:
      saga doctor
      saga doctor --json | jq '.[] | select(.status != "ok")'
    """
    log_nothing()
    checks = loop.run(all_checks(load_settings()))
    if as_json:
        print_json([check.to_json() for check in checks])
    else:
        _print(checks)
    failed = [check for check in checks if check.status == "failed"]
    if failed:
        raise ReportedError(Exit.UNREACHABLE if any(check.service for check in failed) else Exit.BAD_INPUT)


def _print(checks: list[Check]) -> None:
    print_table(("PART", "STATUS", "FOUND"), [(check.about, check.status, check.found) for check in checks])
    cures = [check for check in checks if check.cure]
    if cures:
        click.echo()
        print_table(("PART", "WHAT TO DO"), [(check.about, check.cure) for check in cures])
