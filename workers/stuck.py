"""Which runs are stuck, why, and what to do: pure, from what the projection and Temporal say of them.

A run is stuck when it will not get on by itself, or much later than it should: it is past its expected time, an
activity of it is tried again and again, its workflow task fails, or no worker asks for its work. A run that waits for
people or for a moment is not. Beside them stand runs that were terminated: they do not get on at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from store.run_watch import USUAL_FACTOR, OverdueRun
from workers.looking import FAILED_TASKS, ForcedRun, PendingActivity, PendingTask, QueueLook, RunLook

Cause: TypeAlias = Literal["overdue", "activity-retries", "workflow-task-fails", "no-worker", "terminated"]

CAUSES: Final[tuple[Cause, ...]] = ("workflow-task-fails", "no-worker", "activity-retries", "overdue")
"""What keeps an open run, the gravest first."""
MANY_ATTEMPTS: Final = 10
SILENCE: Final = timedelta(minutes=2)
"""A worker that is there asks at least once a minute."""

_NOT_LOADED: Final = "not loaded"
_NO_ACTION: Final = "This worker has no action"
_MOST_WORDS: Final = 500


@dataclass(frozen=True, slots=True)
class Stuck:
    """One reason why a run does not get on.

    Attributes:
        cause: The kind of reason.
        workflow_id: The run; empty where a whole task queue is meant.
        step: Path of the step, where one is the reason.
        since: Since when, where that is known.
        what: What is wrong, for people.
        cure: What to do about it.
    """

    cause: Cause
    workflow_id: str
    run_id: str
    definition: str
    version: str
    step: str | None
    since: datetime | None
    what: str
    cure: str


def stuck_run(look: RunLook) -> Iterator[Stuck]:
    """Yield why a run does not get on, as far as what is pending tells."""
    if look.task is not None and look.task.attempt >= FAILED_TASKS:
        yield _failing_task(look, look.task)
    for activity in look.activities:
        if activity.is_given_back:
            # Its attempt says nothing: it counts what was none.
            yield from () if activity.is_running else (_given_back(look, activity),)
        elif _retries_for_ever(activity):
            yield _retrying(look, activity)


def stuck_queue(queue: QueueLook, runs: Sequence[RunLook], now: datetime) -> Iterator[Stuck]:
    """Yield that no worker asks `queue` for work, if runs need one there.

    Args:
        queue: Who asks.
        runs: Open runs; those of other queues do not count.
        now: The time.
    """
    waiting = [run for run in runs if run.queue == queue.name]
    if waiting and _is_silent(queue.workflows_at, now):
        yield _without_worker(queue.name, "workflows", len(waiting), queue.workflows_at)
        return
    acting = [run for run in runs if any(_waits_in(activity, queue.name) for activity in run.activities)]
    if acting and _is_silent(queue.activities_at, now):
        yield _without_worker(queue.name, "actions", len(acting), queue.activities_at)


def overdue(run: OverdueRun) -> Stuck:
    """Return why a run counts as overdue."""
    if run.by_definition:
        rule = f"its definition allows {_span(run.expected)} (`sla`)"
    else:
        rule = f"{USUAL_FACTOR:g} times what 99 % of {run.known_runs} ended runs took is {_span(run.expected)}"
    return Stuck(
        "overdue",
        run.workflow_id,
        run.execution,
        run.definition,
        run.version,
        None,
        run.started_at + run.expected,
        f"It has run for {_span(run.took)} and is {run.status}; {rule}.",
        f"See where it stands: saga show {run.workflow_id}",
    )


def forced(run: ForcedRun) -> Stuck:
    """Return that a run was ended without being asked."""
    who = "Temporal's own time-out ended it" if run.timed_out else "Somebody or Temporal terminated it"
    return Stuck(
        "terminated",
        run.workflow_id,
        run.run_id,
        run.definition,
        run.version,
        None,
        run.ended_at,
        f"{who} while it was {run.status or 'at its start'}; nothing was undone.",
        f"Undo what it did: saga compensate {run.workflow_id}; or have it go on: saga redrive {run.workflow_id}",
    )


def queues_of(runs: Sequence[RunLook]) -> list[str]:
    """Return the task queues that open runs need, sorted."""
    named = {run.queue for run in runs} | {activity.queue for run in runs for activity in run.activities}
    return sorted(name for name in named if name)


def in_order(found: Sequence[Stuck]) -> list[Stuck]:
    """Return what was found, the gravest cause first, then by run."""
    return sorted(found, key=lambda stuck: (CAUSES.index(stuck.cause), stuck.workflow_id, stuck.step or ""))


def _failing_task(look: RunLook, task: PendingTask) -> Stuck:
    why = task.failure or "Temporal tells no reason."
    if _NO_ACTION in why:
        cure = "Start a worker of a release that has the action; the run goes on by itself then."
    elif _NOT_LOADED in why:
        cure = "Give the file of that version back to a worker; the run goes on by itself then."
    else:
        cure = "Mend the worker or go back to its last release; the run goes on by itself then. See the worker's log."
    what = f"Its workflow task has failed {task.attempt - 1} times: {_cut(why)}"
    return _of(look, "workflow-task-fails", None, task.since, what, cure)


def _retries_for_ever(activity: PendingActivity) -> bool:
    """One that may be tried without limit counts from its first failure on, every other from its tenth attempt."""
    endless = activity.attempts == 0 and activity.attempt > 1 and bool(activity.failure)
    return endless or activity.attempt >= MANY_ATTEMPTS


def _retrying(look: RunLook, activity: PendingActivity) -> Stuck:
    limit = "without limit" if activity.attempts == 0 else f"of {activity.attempts}"
    following = (
        "it runs now" if activity.next_at is None else f"the next is at {activity.next_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    why = _cut(activity.failure or "Nobody told why.").rstrip(".")
    what = f"Attempt {activity.attempt} ({limit}) of {activity.action}, {following}. The last one failed: {why}."
    cure = f"Mend what it names, and it goes on by itself; or stop the run: saga cancel {look.workflow_id}"
    return _of(look, "activity-retries", activity.path, None, what, cure)


def _given_back(look: RunLook, activity: PendingActivity) -> Stuck:
    what = f"{activity.action} waits for a worker. The last one that took it: {_cut(activity.failure)}"
    cure = (
        f"Start a worker of a release that has {activity.action} on task queue {activity.queue!r}, or stop those that "
        f"lack it; the run goes on by itself then."
    )
    return _of(look, "no-worker", activity.path, None, what, cure)


def _waits_in(activity: PendingActivity, queue: str) -> bool:
    return activity.queue == queue and not activity.is_running


def _is_silent(polled_at: datetime | None, now: datetime) -> bool:
    return polled_at is None or now - polled_at > SILENCE


def _without_worker(queue: str, what: str, runs: int, polled_at: datetime | None) -> Stuck:
    since = "within the last minutes" if polled_at is None else f"since {polled_at:%H:%M:%S} UTC"
    many = "1 open run needs" if runs == 1 else f"{runs} open runs need"
    return Stuck(
        "no-worker",
        "",
        "",
        "",
        "",
        None,
        polled_at,
        f"No worker has asked task queue {queue!r} for {what} {since}; {many} one.",
        f"Start one: SAGA_TASK_QUEUE={queue} saga worker",
    )


def _of(look: RunLook, cause: Cause, step: str | None, since: datetime | None, what: str, cure: str) -> Stuck:
    return Stuck(cause, look.workflow_id, look.run_id, look.definition, look.version, step, since, what, cure)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_WORDS else f"{text[:_MOST_WORDS]}…"


def _span(span: timedelta) -> str:
    """Return a span for people, in its largest two units."""
    seconds = int(span.total_seconds())
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    parts = []
    for size, name in units:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or f"{span.total_seconds() * 1000:.0f} ms"
