"""Deploying: a version's content is recorded once and never changes; schedules follow the definitions.

What `saga deploy`, `saga up` and `saga demo` do alike. Nothing is recorded before every version was compared, so a
refused deployment leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from cli.stack.temporal import ensure_search_attributes
from contracts.errors import PermanentError
from store.database import Database
from store.deployments import deployments, record_deployment
from workers.schedules import ScheduleChange, reconcile
from workflows.language.library import Library
from workflows.language.triggers import Definition

_NOT_OURS = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED})


class ChangedVersionError(PermanentError):
    """A deployed version has another content now: a deployed version never changes."""

    code = "changed-version"


@dataclass(frozen=True)
class VersionChange:
    """A version that was recorded now, or before."""

    definition: Definition
    change: Literal["new", "unchanged"]


@dataclass(frozen=True)
class Deployed:
    """What a deployment did, or would do."""

    versions: tuple[VersionChange, ...]
    schedules: tuple[ScheduleChange, ...]


async def prepare_namespace(client: Client) -> None:
    """Register the search attributes of runs, where that is allowed.

    Raises:
        RPCError: Temporal is away.
    """
    try:
        await ensure_search_attributes(client)
    except RPCError as error:
        # Temporal Cloud has its own tools for that; `saga doctor` tells which are missing.
        if error.status not in _NOT_OURS:
            raise


async def deploy(
    database: Database, client: Client, library: Library, task_queue: str, *, dry_run: bool = False
) -> Deployed:
    """Record the versions of a library and reconcile its schedules.

    Raises:
        ChangedVersionError: A file was changed under a deployed version; nothing was done.
        ForeignScheduleError: The name of a schedule is taken.
        RPCError: Temporal refuses, or is away.
        SagaError: As `store.database`.
    """
    known = {(row.definition, row.version): row.digest for row in await deployments(database)}
    _refuse_changed(library.all(), known)
    versions = tuple(_change(definition, known) for definition in library.all())
    if not dry_run:
        await _record(database, versions)
    return Deployed(versions, await reconcile(client, library, task_queue, dry_run=dry_run))


async def _record(database: Database, versions: Iterable[VersionChange]) -> None:
    for version in versions:
        if version.change == "new":
            each = version.definition
            digest = await record_deployment(database, each.id, each.version, each.plan.digest)
            # Another deployment may have been quicker.
            _refuse_changed((each,), {(each.id, each.version): digest})


def _change(definition: Definition, known: Mapping[tuple[str, str], str]) -> VersionChange:
    return VersionChange(definition, "unchanged" if (definition.id, definition.version) in known else "new")


def _refuse_changed(definitions: Iterable[Definition], known: Mapping[tuple[str, str], str]) -> None:
    lines = [
        f"  {each.file}: {each.id} {each.version} was deployed with digest {deployed[:12]} "
        f"and has {each.plan.digest[:12]} now"
        for each in definitions
        if (deployed := known.get((each.id, each.version), each.plan.digest)) != each.plan.digest
    ]
    if lines:
        cure = "Raise `version` in the file, or bring the old content back. Nothing was deployed."
        raise ChangedVersionError("\n".join(("", *lines, cure)))
