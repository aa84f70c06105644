"""`saga reject`: the no of a person."""

from __future__ import annotations

import click

from cli.deciding import Decision, carry_out, decision_options
from contracts.json import Json


@click.command("reject")
@decision_options
def command(  # one parameter an option
    *, run: str, step: str | None, approver: str | None, roles: tuple[str, ...], comment: str, data: Json, as_json: bool
) -> None:
    """Reject a step that waits for people; without STEP, list what waits.

    \b
    Examples:
      saga reject order-fulfilment/order-17
      saga reject order-fulfilment/order-17 review --as user:alice --comment "too expensive"
    """
    carry_out(Decision(run, step, "reject", approver, roles, comment, data, as_json))
