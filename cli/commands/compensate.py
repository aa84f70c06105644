"""`saga compensate`: rollbacks that were incomplete are finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli.resuming import Wanted, resume, resuming_options
from workflows.temporal.resuming import ResumeRequest


@click.command("compensate")
@resuming_options
def command(paths: tuple[Path, ...], **wanted: Any) -> int:
    """Finish the rollback of a run that is rollback-incomplete: undo what could not be undone.

    Each compensation that failed is carried out again, with the arguments and the key that it had. It is a new run
    under the same workflow id, and ends as compensated when nothing is left. The exit code is 1 when one of many
    could not be begun.

    \b
    Examples:
      saga compensate order-fulfilment/order-17
      saga compensate --query "SagaStatus='rollback-incomplete'" --dry-run
      saga compensate --query "SagaStatus='rollback-incomplete'" --limit 50 --yes
    """
    return resume(Wanted(ResumeRequest("compensate"), **wanted), paths)
