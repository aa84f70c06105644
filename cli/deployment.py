"""Deploying: a version's content is recorded once and never changes; schedules follow the definitions.

What `saga deploy`, `saga up` and `saga demo` do alike. Nothing is recorded before every version was compared, so a
refused deployment leaves everything as it was. A version that is gone while runs are open on it is refused too: they
could not go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from cli.open_runs import OpenRuns, open_runs
from cli.rollouts import percentages
from cli.stack.temporal import ensure_search_attributes
from contracts.errors import PermanentError
from store.database import Database
from store.deployments import Deployment, deployments, record_deployment
from workers.schedules import ScheduleChange, reconcile
from workflows.language.library import Library
from workflows.language.triggers import Definition

_NOT_OURS = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED})


class ChangedVersionError(PermanentError):
    """A deployed version has another content now: a deployed version never changes."""

    code = "changed-version"


class VersionInUseError(PermanentError):
    """A version is gone from the definitions while runs are open on it."""

    code = "version-in-use"


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
    database: Database,
    client: Client,
    library: Library,
    task_queue: str,
    *,
    dry_run: bool = False,
    abandon: bool = False,
) -> Deployed:
    """Record the versions of a library and reconcile its schedules.

    Args:
        database: Where deployments are recorded.
        client: The Temporal client.
        library: The definitions.
        task_queue: Where runs start; only its runs are looked at.
        dry_run: Say what would be done, and do nothing.
        abandon: Whether versions on which runs are open may be gone; those runs wait until they are back.

    Raises:
        ChangedVersionError: A file was changed under a deployed version; nothing was done.
        VersionInUseError: A version is gone on which runs are open; nothing was done.
        ForeignScheduleError: The name of a schedule is taken.
        RPCError: Temporal refuses, or is away.
        SagaError: As `store.database`.
    """
    rows = await deployments(database)
    use = _Use(client, task_queue)
    known = {(row.definition, row.version): row.digest for row in rows}
    await _refuse_changed(library.all(), known, use)
    if not abandon:
        await _refuse_gone(library, rows, use)
    versions = tuple(_change(definition, known) for definition in library.all())
    if not dry_run:
        await _record(database, versions, use)
    rolled = library.with_percentages(await percentages(database))
    return Deployed(versions, await reconcile(client, rolled, task_queue, dry_run=dry_run))


@dataclass(frozen=True)
class _Use:
    """Who uses a version."""

    client: Client
    task_queue: str

    async def of(self, definition: str, version: str, digest: str) -> OpenRuns:
        return await open_runs(self.client, definition, version, digest, self.task_queue)


async def _record(database: Database, versions: Iterable[VersionChange], use: _Use) -> None:
    for version in versions:
        if version.change == "new":
            each = version.definition
            digest = await record_deployment(database, each.id, each.version, each.plan.digest)
            # Another deployment may have been quicker.
            await _refuse_changed((each,), {(each.id, each.version): digest}, use)


def _change(definition: Definition, known: Mapping[tuple[str, str], str]) -> VersionChange:
    return VersionChange(definition, "unchanged" if (definition.id, definition.version) in known else "new")


async def _refuse_changed(definitions: Iterable[Definition], known: Mapping[tuple[str, str], str], use: _Use) -> None:
    lines = []
    for each in definitions:
        deployed = known.get((each.id, each.version), each.plan.digest)
        if deployed != each.plan.digest:
            runs = await use.of(each.id, each.version, deployed)
            lines.append(
                f"  {each.file}: {each.id} {each.version} was deployed with digest {deployed[:12]} "
                f"and has {each.plan.digest[:12]} now; {runs}"
            )
    if lines:
        cure = "Raise `version` in the file, or bring the old content back. Nothing was deployed."
        raise ChangedVersionError("\n".join(("", *lines, cure)))


async def _refuse_gone(library: Library, rows: Iterable[Deployment], use: _Use) -> None:
    present = {(each.id, each.version) for each in library.all()}
    gone = [row for row in rows if (row.definition, row.version) not in present]
    found = [(row, await use.of(row.definition, row.version, row.digest)) for row in gone]
    lines = [f"  {row.definition} {row.version}: {runs}" for row, runs in found if runs.number]
    if lines:
        cure = (
            "Bring its file back until they have ended, or move them (`saga migrate`); with --abandon they wait until "
            "it is back. Nothing was deployed."
        )
        raise VersionInUseError("\n".join(("", *lines, cure)))
