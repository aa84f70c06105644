"""`saga redrive`: runs that failed go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli.exits import BadInputError
from cli.resuming import Wanted, resume, resuming_options
from workflows.temporal.resuming import ResumeRequest


@click.command("redrive")
@click.option("--from", "step", metavar="STEP", help="Begin at this step; what it and later ones gave is dropped.")
@click.option("--with-version", "version", metavar="VERSION", help="Go on under this version of the definition.")
@resuming_options
def command(step: str | None, version: str | None, paths: tuple[Path, ...], query: str | None, **wanted: Any) -> int:
    """Have a run that failed go on from the failed step, with the results of the steps before.

    It goes on as a new run under the same workflow id, under the version that it followed, or under a mended one
    with --with-version. A run that was undone begins at the first step that was undone. Cancelled and terminated
    runs can be redriven too. The exit code is 1 when one of many could not be.

    \b
    Examples:
      saga redrive order-fulfilment/order-17
      saga redrive order-fulfilment/order-17 --from charge --with-version 1.1.0
      saga redrive --query "SagaDefinition='order-fulfilment' AND SagaStatus='failed'" --dry-run
    """
    if step is not None and query is not None:
        raise BadInputError("--from names a step of one run; with --query each run begins where it failed.")
    return resume(Wanted(ResumeRequest("redrive", step, version), query=query, **wanted), paths)
