"""`saga approve`: the yes of a person."""

from __future__ import annotations

import click

from cli.deciding import Decision, carry_out, decision_options
from contracts.json import Json


@click.command("approve")
@decision_options
def command(  # one parameter an option
    *, run: str, step: str | None, approver: str | None, roles: tuple[str, ...], comment: str, data: Json, as_json: bool
) -> None:
    """Approve a step that waits for people; without STEP, list what waits.

    \b
    Examples:
      saga approve order-fulfilment/order-17
      saga approve order-fulfilment/order-17 review --as user:alice --comment "checked"
      saga approve agent-creation/ada budget --role finance --data '{"budget": 100}'
    """
    carry_out(Decision(run, step, "approve", approver, roles, comment, data, as_json))
