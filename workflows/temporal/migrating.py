"""Moving a run to another version: what is asked of it, and what it answers.

The update `migrate` takes the pin of the version, with its digest, so that a replay means the same content wherever it
happens. The query `migration` says beforehand what would not fit, and which versions would; it costs no history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts.json import Json
from contracts.problems import REJECTED, VALIDATION, Problem
from workflows.engine.events import Migrated
from workflows.engine.migration import misfits
from workflows.engine.state import State
from workflows.language.library import Library, pin_of
from workflows.language.plan import Plan
from workflows.language.triggers import Definition

_FORM = 'Send {"to": "<version>+<first 8 digits of the digest>"}; the query `migration` tells which there are.'


class MigrationRefusedError(Exception):
    """The run cannot move to the version that was named."""

    def __init__(self, detail: str, *, status: int = 422) -> None:
        """Say why."""
        self.problem = Problem(
            VALIDATION if status == 422 else REJECTED,  # noqa: PLR2004 - the request itself is wrong
            "The run cannot move",
            status,
            detail,
        )
        super().__init__(detail)


def wanted_pin(values: Sequence[Any]) -> str:
    """Return the pin in the arguments of the update.

    Raises:
        MigrationRefusedError: They are not in the form that the update takes.
    """
    document = values[0] if len(values) == 1 else None
    pin = document.get("to") if isinstance(document, dict) and set(document) == {"to"} else None
    if not isinstance(pin, str) or "+" not in pin:
        raise MigrationRefusedError(_FORM)
    return pin


def migrated(at: int, pin: str) -> Migrated:
    """Return the event of a move to `pin`; the digest in it is completed when the version is looked up."""
    version, _, digest = pin.partition("+")
    return Migrated(at, version, digest)


def target(library: Library, plan: Plan, event: Migrated) -> Definition | None:
    """Return the version to which `event` moves a run that follows `plan`, or None: it is not loaded here."""
    return library.pinned(plan.id, f"{event.version}+{event.digest[:8]}")


def refusal(library: Library, plan: Plan, state: State, event: Migrated) -> Problem | None:
    """Return why a run cannot move, or None."""
    wanted = target(library, plan, event)
    if wanted is None:
        loaded = ", ".join(pin_of(each) for each in library.versions.get(plan.id, ())) or "none"
        detail = f"{plan.id} {event.version}+{event.digest[:8]} is not loaded by this worker. Loaded: {loaded}."
        return MigrationRefusedError(detail).problem
    found = misfits(plan, wanted.plan, state)
    return MigrationRefusedError("; ".join(map(str, found)), status=409).problem if found else None


def outlook(library: Library, plan: Plan, state: State) -> dict[str, Json]:
    """Return for each loaded version, the highest first, what does not fit; nothing = the run could move there."""
    versions: list[Json] = [
        {
            "version": each.version,
            "pin": pin_of(each),
            "misfits": [{"path": misfit.path, "reason": misfit.reason} for misfit in misfits(plan, each.plan, state)],
        }
        for each in library.versions.get(plan.id, ())
    ]
    return {"definition": plan.id, "follows": state.version, "versions": versions}
