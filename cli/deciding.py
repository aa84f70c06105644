"""Decisions on approvals: what `saga approve` and `saga reject` share.

They use the update `decide`, which refuses a wrong decision and says why, where a signal would be taken in silence.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import click
from temporalio.client import Client, WorkflowUpdateFailedError

from cli import connections, loop
from cli.exits import BadInputError
from cli.input import JSON
from cli.output import clean, print_json, print_table
from cli.runs import handle_of, pending_approvals, problem_of
from cli.settings import load_settings
from contracts.json import Json
from contracts.names import UPDATE_DECIDE

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Decision:
    """A decision as it was given on the command line.

    Attributes:
        run: Workflow id of the run.
        step: Step id or path; None = say what waits.
        approver: Who decides, such as `user:alice`; None = whoever is logged in.
        roles: In which roles.
    """

    run: str
    step: str | None
    decision: Literal["approve", "reject"]
    approver: str | None
    roles: tuple[str, ...] = ()
    comment: str = ""
    data: Json = None
    as_json: bool = False

    def to_json(self) -> dict[str, Json]:
        """Return what the update takes."""
        document: dict[str, Json] = {
            "step": self.step,
            "decision": self.decision,
            "approver": self.approver or f"user:{getpass.getuser()}",
            "roles": list(self.roles),
            "comment": self.comment,
        }
        return document if self.data is None else document | {"data": self.data}


def decision_options(command: Command) -> Command:
    """Give a command the arguments and options of a decision."""
    for decorate in reversed(_OPTIONS):
        command = decorate(command)
    return command


def carry_out(decision: Decision) -> None:
    """Decide, or list what waits when no step is named.

    Raises:
        BadInputError: The run does not take the decision; the message says why.
    """
    answer = loop.run(_carry_out(decision))
    if decision.as_json:
        print_json(answer)
    elif decision.step is None:
        _show_waiting(decision.run, answer)
    else:
        word = "Approved" if decision.decision == "approve" else "Rejected"
        click.echo(f"{word} step {decision.step} of {decision.run}.")


async def _carry_out(decision: Decision) -> Any:
    settings = load_settings()
    async with connections.temporal(settings) as client:
        if decision.step is None:
            return await pending_approvals(handle_of(client, decision.run))
        return await decide(client, decision)


async def decide(client: Client, decision: Decision) -> Json:
    """Send a decision and return what the run answers.

    Raises:
        BadInputError: The run does not take it; the message says why.
    """
    document = decision.to_json()
    try:
        answer: Json = await handle_of(client, decision.run).execute_update(UPDATE_DECIDE, document)
    except WorkflowUpdateFailedError as error:
        problem = problem_of(error.cause)
        raise BadInputError(f"Refused: {problem.title}. {problem.detail}") from error
    return answer


def _show_waiting(run: str, approvals: list[Mapping[str, Any]]) -> None:
    if not approvals:
        click.echo(f"{run} waits for no approval.")
        return
    print_table(("STEP", "TITLE", "MAY DECIDE", "DECIDED SO FAR"), [_row(approval) for approval in approvals])
    step = approvals[0]["step"]
    click.echo(f"\nsaga approve {run} {step} --comment '...'")
    click.echo(f"saga reject {run} {step} --comment '...'")


def _row(approval: Mapping[str, Any]) -> tuple[str, str, str, str]:
    who = approval.get("approvers")
    decided = f"{len(approval.get('decisions') or ())} of {approval.get('quorum', 1)}"
    return (
        str(approval["step"]),
        clean(str(approval.get("title", ""))),
        "anybody" if who is None else ", ".join(who),
        decided,
    )


_OPTIONS = (
    click.argument("run", metavar="RUN"),
    click.argument("step", metavar="[STEP]", required=False),
    click.option("--as", "approver", metavar="WHO", help="Who decides, such as user:alice. [default: you]"),
    click.option("--role", "roles", multiple=True, help="A role in which you decide, such as security."),
    click.option("--comment", default="", help="Why; kept with the decision."),
    click.option("--data", type=JSON, help="What the approval's form asks for."),
    click.option("--json", "as_json", is_flag=True, help="Print a JSON document."),
)
