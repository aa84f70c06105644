"""The worker: the process that carries out workflow tasks and activities of one task queue.

Workflow code runs without the SDK's sandbox, which would import everything anew for each run: the engine is pure, so
there is nothing to keep it from. The number of runs kept in the cache bounds the memory (about 70 KB each); a run
that falls out is replayed when something happens to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import Interceptor, Plugin, UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

from activities.registry import ACTIONS, temporal_activities
from activities.resources import Resources
from contracts.names import TASK_QUEUE
from workers.converter import with_converter
from workflows.temporal.classes import workflow_classes
from workflows.temporal.course import Sink
from workflows.temporal.interceptor import ShellInterceptor
from workflows.temporal.run import LibrarySource

LONGEST_TASK_SECONDS: Final = 8


@dataclass(frozen=True)
class WorkerLimits:
    """How much a worker does at once.

    Attributes:
        workflow_tasks: Workflow tasks at once.
        activities: Remote activities at once.
        local_activities: Local activities at once.
        cached_runs: Runs kept in memory between their tasks.
        shutdown: How long running activities may take to end when the worker is stopped.
    """

    workflow_tasks: int = 100
    activities: int = 100
    local_activities: int = 100
    cached_runs: int = 2000
    shutdown: timedelta = timedelta(seconds=10)


@dataclass(frozen=True)
class Release:
    """A release of the engine in a Temporal worker deployment; see docs/versions.md.

    Attributes:
        deployment: Name of the deployment, without a dot.
        build: The release's own id in it.
    """

    deployment: str
    build: str

    def to_config(self) -> WorkerDeploymentConfig:
        """Return it as the SDK wants it.

        Runs upgrade by themselves: what a run does is pinned by its definition's version already, and the releases
        of the engine are held to replaying each other's histories. So nothing has to keep an old engine running for
        as long as its longest run.
        """
        version = WorkerDeploymentVersion(self.deployment, self.build)
        return WorkerDeploymentConfig(version, True, VersioningBehavior.AUTO_UPGRADE)


def make_worker(  # noqa: PLR0913 - the parts of a worker
    client: Client,
    library: LibrarySource,
    resources: Resources,
    task_queue: str = TASK_QUEUE,
    *,
    limits: WorkerLimits | None = None,
    sink: Sink | None = None,
    interceptors: Sequence[Interceptor] = (),
    plugins: Sequence[Plugin] = (),
    release: Release | None = None,
) -> Worker:
    """Return a worker that is not running yet; run it with `async with`, which also stops it gracefully.

    Args:
        client: Shared with whoever starts runs, if those starts are to be eager.
        library: Gives the definitions that are loaded now; it may change while the worker runs.
        resources: What actions may use; owned by the caller, who closes it after the worker has stopped.
        task_queue: The queue it serves.
        limits: How much it does at once.
        sink: Takes each new state of each run.
        interceptors: More interceptors, such as metrics.
        plugins: More of the SDK's plugins, such as tracing.
        release: Which release of the engine this is, for Temporal's worker deployments; None = it takes part in none.
    """
    bounds = limits or WorkerLimits()
    return hosting_runs(
        client,
        task_queue=task_queue,
        workflows=workflow_classes(library),
        activities=temporal_activities(resources),
        interceptors=[ShellInterceptor(sink, actions=frozenset(action.name for action in ACTIONS)), *interceptors],
        plugins=plugins,
        max_cached_workflows=bounds.cached_runs,
        max_concurrent_workflow_tasks=bounds.workflow_tasks,
        max_concurrent_activities=bounds.activities,
        max_concurrent_local_activities=bounds.local_activities,
        graceful_shutdown_timeout=bounds.shutdown,
        deployment_config=None if release is None else release.to_config(),
    )


def hosting_runs(client: Client, **settings: Any) -> Worker:
    """Return a worker whose workflow tasks do not fail for what a stranger has sent; `settings` are the SDK's.

    Payloads are read by the product's converter. What is sent is measured by the engine, where it can be said whose it
    is: the SDK's own check fails a task for ever, for an update, which is sent back with its answer, by what came in.

    A task may take nearly as long as the server waits for it (10 s), not two seconds. The SDK calls what takes longer a
    deadlock and fails the task, which then never succeeds: thousands of signals that came at once are one activation,
    of which most is the SDK's own work. The engine waits for nothing inside a task, and what it evaluates is bounded by
    work, so there is no deadlock to be found. The SDK has no setting for it.
    """
    worker = Worker(
        with_converter(client),
        workflow_runner=UnsandboxedWorkflowRunner(),
        disable_payload_error_limit=True,
        **settings,
    )
    tasks = worker._workflow_worker
    if tasks is not None:
        tasks._deadlock_timeout_seconds = LONGEST_TASK_SECONDS
    return worker
