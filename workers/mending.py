"""The projection mends itself: what a killed worker, a full queue or an absent PostgreSQL left out is made again.

Four signs tell that something is missing: a change was dropped here; a run has fewer snapshots than events; a run is
open here and closed in Temporal; a writer was killed, so that any run that moved since may miss something. One worker
at a time looks for them, whichever comes first. Mending is safe to repeat and to cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

from contracts.errors import SagaError
from store.database import Database
from store.runs import MENDING, dead_writers, leave, open_runs, sign_of_life, with_gaps
from workers.projecting import pause
from workers.rebuilding import listed, rebuild, since
from workers.snapshots import Missed, Snapshots
from workflows.temporal.statuses import OPEN

_GAPS_AT_ONCE = 1_000
_OPEN_AT_ONCE = 100
_OPEN_PAGES = 10
_HOPELESS = 10_000
_log = structlog.get_logger("projection")


@dataclass(frozen=True)
class Pace:
    """How patient mending is.

    Attributes:
        interval: Between two looks.
        settled: How long a run must not have changed before a gap in it is one: another writer may be about to fill it.
        silence: How long a writer may be silent before it counts as killed.
        margin: How much of what a killed writer had taken may not have been written.
    """

    interval: timedelta = timedelta(seconds=15)
    settled: timedelta = timedelta(seconds=30)
    silence: timedelta = timedelta(minutes=2)
    margin: timedelta = timedelta(minutes=1)


class Mender:
    """Looks for what is missing and makes it again.

    Attributes:
        mended: Runs that were made again.
    """

    def __init__(
        self,
        client: Client,
        database: Database,
        workflows: Callable[[], Sequence[type]],
        snapshots: Snapshots,
        pace: Pace,
    ) -> None:
        """Mend `database` from the histories that `client` has, by the workflow classes of now."""
        self._client, self._database, self._workflows = client, database, workflows
        self._snapshots, self._pace = snapshots, pace
        self._writer: UUID = uuid4()
        self._after = ""
        self._hopeless: set[str] = set()
        self.mended = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Look again and again until `stop` is set."""
        while not stop.is_set():
            try:
                await sign_of_life(self._database, self._writer)
                await self.mend()
            except (SagaError, RPCError) as error:
                _log.warning("mending_failed", error=str(error))
            await pause(stop, self._pace.interval.total_seconds())

    async def leave(self) -> None:
        """Say that this process goes and has written all that it had."""
        try:
            await leave(self._database, [self._writer])
        except SagaError as error:
            _log.warning("writer_stays", error=str(error))

    async def mend(self) -> None:
        """Look once, unless another process is at it.

        Raises:
            SagaError: PostgreSQL does not answer.
            RPCError: Temporal does not.
        """
        missed, done = self._snapshots.missed(), False
        try:
            async with self._database.transaction() as session:
                done = await session.try_lock(MENDING)
                if done:
                    done = False
                    await self._mend(missed)
                    done = True
        finally:
            if not done:
                self._snapshots.remember(missed)

    async def _mend(self, missed: Missed) -> None:
        dead = await dead_writers(self._database, self._pace.silence)
        if dead:
            missed |= Missed(since=min(dead.values()) - self._pace.margin)
        wanted = {} if missed.since is None else dict(await listed(self._client, since(missed.since)))
        ids = missed.workflow_ids | set(await with_gaps(self._database, self._pace.settled, _GAPS_AT_ONCE))
        ids |= await self._closed()
        wanted |= dict.fromkeys(ids - self._hopeless, ())
        if wanted:
            found = await rebuild(self._client, self._database, self._workflows(), wanted)
            self.mended += found.runs
            self._give_up([*found.missing, *(refusal.workflow_id for refusal in found.refused)])
            _log.info("runs_mended", runs=found.runs, missing=len(found.missing), refused=len(found.refused))
        await leave(self._database, list(dead))

    async def _closed(self) -> set[str]:
        """Return workflow ids of runs that are open here and whose latest known execution does not run any more."""
        closed = set[str]()
        for _ in range(_OPEN_PAGES):
            runs = await open_runs(self._database, self._pace.settled, after=self._after, limit=_OPEN_AT_ONCE)
            if not runs:
                self._after = ""
                break
            self._after = runs[-1].id
            among = ", ".join(f"'{run.execution}'" for run in runs)
            query = f"{OPEN} AND RunId IN ({among})"
            running = {execution.run_id async for execution in self._client.list_workflows(query)}
            closed |= {run.workflow_id for run in runs if run.execution not in running}
        return closed

    def _give_up(self, workflow_ids: Sequence[str]) -> None:
        # Their histories are gone, or no loaded version replays them: to ask for ever would help nobody.
        if len(self._hopeless) + len(workflow_ids) > _HOPELESS:
            self._hopeless.clear()
        self._hopeless.update(workflow_ids)
