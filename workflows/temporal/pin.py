"""Which version of its definition a run follows, from its first task to its end.

A run that the product started names its pin in the search attribute `SagaVersion` of its start event, and a continued
run in its carried state: nothing is added to the history. A run that was started without one (by the `temporal` CLI
or the UI, or by a schedule) lets the rollout choose by its key and input, and records a patch marker
`<id>@<version>+<digest8>` in its first task. Where no loaded version is the pinned
one, the workflow task fails, not the run: Temporal retries it until a worker has that version. `is_replaying` only
chooses which marker to ask for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from temporalio import workflow

from contracts.json import Json
from contracts.problems import VALIDATION, Problem
from workflows.language.library import Library, pin_of
from workflows.language.triggers import Definition

MARKER_UNKNOWN: Final = "saga-unknown-definition"
"""In the history of a run that was refused because nothing of its name was loaded: it replays to its refusal."""

_PIN = re.compile(r"[0-9A-Za-z.\-]{1,100}\+[0-9a-f]{8}")


class VersionNotLoadedError(Exception):
    """The version that this run is pinned to is not loaded by this worker: deploy it beside the newer ones."""

    def __init__(self, detail: str) -> None:
        """Say what is pinned and what is loaded."""
        super().__init__(f"{VersionNotLoadedError.__doc__} {detail}")


class UnknownDefinitionError(Exception):
    """No definition has this workflow type."""

    def __init__(self, problem: Problem) -> None:
        """Carry the problem that the run fails with."""
        self.problem = problem
        super().__init__(problem.detail)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a rollout chooses by: the key and the input of a run that begins."""

    key: str
    input: Json


def pinned_definition(library: Library, type_name: str, pin: str | None, run: Beginning) -> Definition:
    """Return the version that this run follows; called once, in the first task of an execution.

    Args:
        library: What is loaded.
        type_name: The run's workflow type, `id` or `id@version`.
        pin: Its pin, or None: a version is chosen and recorded as a marker.
        run: The run.

    Raises:
        VersionNotLoadedError: The pinned version is not loaded, or was changed under its number.
        UnknownDefinitionError: A new run of a type that is not known.
    """
    identity, _, version = type_name.partition("@")
    loaded = library.versions.get(identity, ())
    if pin is not None and not _PIN.fullmatch(pin):
        raise UnknownDefinitionError(_no_pin(pin))
    if pin is not None:
        return _by_pin(identity, pin, loaded)
    candidates = [definition for definition in loaded if version in {"", definition.version}]
    return _by_marker(library, type_name, candidates, run)


def _by_pin(identity: str, pin: str, loaded: Sequence[Definition]) -> Definition:
    found = next((definition for definition in loaded if pin_of(definition) == pin), None)
    if found is not None:
        return found
    version = pin.partition("+")[0]
    changed = any(definition.version == version for definition in loaded)
    reason = " A definition was changed under the same version, which is refused." if changed else ""
    raise VersionNotLoadedError(f"Pinned: {identity}@{pin}. Loaded: {_names(loaded)}.{reason}")


def _by_marker(library: Library, type_name: str, candidates: Sequence[Definition], run: Beginning) -> Definition:
    if not workflow.unsafe.is_replaying():
        chosen = library.choose(type_name, run.key, run.input)
        if chosen is None:
            workflow.patched(MARKER_UNKNOWN)
            raise UnknownDefinitionError(unknown_definition(library, type_name))
        workflow.patched(_marker(chosen))
        return chosen
    # A rollout may have changed since then: what is in the history counts, whatever would be chosen now.
    found = next((definition for definition in candidates if workflow.patched(_marker(definition))), None)
    if found is None and workflow.patched(MARKER_UNKNOWN):
        raise UnknownDefinitionError(unknown_definition(library, type_name))
    if found is None:
        where = f"The pin of this run of {type_name} is in its history (TemporalChangeVersion)."
        raise VersionNotLoadedError(f"{where} Loaded: {_names(candidates)}.")
    return found


def _no_pin(pin: str) -> Problem:
    detail = f"The search attribute SagaVersion is {pin[:100]!r}, which is none of ours: start the run without it."
    return Problem(VALIDATION, "Not a version", 422, detail)


def unknown_definition(library: Library, type_name: str) -> Problem:
    """Return the problem of a start with a type that is not known."""
    known = ", ".join(library.versions) or "none"
    detail = f"There is no definition {type_name}. Known: {known}. Deploy it, or correct the workflow type."
    return Problem(VALIDATION, "Unknown definition", 404, detail)


def _marker(definition: Definition) -> str:
    return f"{definition.id}@{pin_of(definition)}"


def _names(definitions: Sequence[Definition]) -> str:
    return ", ".join(_marker(definition) for definition in definitions) or "no version of it"
