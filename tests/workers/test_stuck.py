"""Which runs are stuck and what is said of them: pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from store.run_watch import OverdueRun
from workers.looking import PendingActivity, PendingTask, QueueLook, RunLook
from workers.stuck import SILENCE, in_order, overdue, queues_of, stuck_queue, stuck_run

NOW = datetime(2030, 1, 31, 8, 0, tzinfo=UTC)
RUN = RunLook("order/1", "r1", "order", "1.0.0", "saga", NOW)
CHARGE = PendingActivity("pay/charge", "http.request", "saga", 3, 5, False, "503 from the bank", NOW)
NOT_LOADED = "This version is not loaded by this worker. Pinned: x"
RECENT, LONG_AGO = NOW - timedelta(seconds=70), NOW - SILENCE - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("attempt", "attempts", "failure", "is_stuck"),
    [
        (1, 0, "", False),
        (2, 0, "503", True),
        (2, 0, "", False),
        (9, 20, "503", False),
        (10, 20, "503", True),
        (10, 0, "", True),
    ],
)
def test_activity_that_is_tried_again_and_again_is_stuck(
    attempt: int, attempts: int, failure: str, is_stuck: bool
) -> None:
    """Without a limit from its first failure on, with one from the tenth attempt on."""
    activity = replace(CHARGE, attempt=attempt, attempts=attempts, failure=failure)
    assert [each.cause for each in stuck_run(replace(RUN, activities=(activity,)))] == ["activity-retries"] * is_stuck


def test_activity_is_told_with_its_step_its_failure_and_its_next_attempt() -> None:
    """And how to stop the run, should nobody mend the cause."""
    [found] = stuck_run(replace(RUN, activities=(replace(CHARGE, attempt=12, attempts=0),)))
    assert (found.workflow_id, found.step) == ("order/1", "pay/charge")
    assert found.what == (
        "Attempt 12 (without limit) of http.request, the next is at 2030-01-31 08:00:00 UTC. "
        "The last one failed: 503 from the bank."
    )
    assert "saga cancel order/1" in found.cure


@pytest.mark.parametrize(("attempt", "is_stuck"), [(1, False), (2, False), (3, True), (40, True)])
def test_workflow_task_that_fails_again_and_again_is_stuck(attempt: int, is_stuck: bool) -> None:
    """One failure may be an accident."""
    found = list(stuck_run(replace(RUN, task=PendingTask(attempt, NOW, "boom"))))
    assert [each.cause for each in found] == ["workflow-task-fails"] * is_stuck


def test_version_that_is_not_loaded_is_named_with_its_cure() -> None:
    """Another failure is mended by another worker."""
    [missing] = stuck_run(replace(RUN, task=PendingTask(4, NOW, NOT_LOADED)))
    assert missing.what.startswith("Its workflow task has failed 3 times: This version is not loaded")
    assert missing.cure.startswith("Give the file of that version back")
    [other] = stuck_run(replace(RUN, task=PendingTask(4, NOW, "")))
    assert "Temporal tells no reason" in other.what
    assert other.cure.startswith("Mend the worker")


@pytest.mark.parametrize(("polled", "is_stuck"), [(RECENT, False), (LONG_AGO, True), (None, True)])
def test_queue_that_no_worker_asks_is_stuck(polled: datetime | None, is_stuck: bool) -> None:
    """A worker asks at least once a minute."""
    found = list(stuck_queue(QueueLook("saga", polled, RECENT), [RUN, RUN], NOW))
    assert [each.cause for each in found] == ["no-worker"] * is_stuck
    assert all("2 open runs need one" in each.what and "SAGA_TASK_QUEUE=saga" in each.cure for each in found)


def test_queue_of_actions_alone_is_stuck_while_one_waits_there() -> None:
    """The runs themselves may have a worker."""
    queue = QueueLook("gpu", None, None)
    waiting = replace(RUN, activities=(replace(CHARGE, queue="gpu"),))
    running = replace(RUN, activities=(replace(CHARGE, queue="gpu", is_running=True),))
    assert queues_of([waiting]) == ["gpu", "saga"]
    [found] = stuck_queue(queue, [waiting], NOW)
    assert "for actions" in found.what
    assert list(stuck_queue(queue, [running], NOW)) == []


def test_queue_that_nobody_needs_is_not_stuck() -> None:
    """Whether a worker asks or not."""
    assert list(stuck_queue(QueueLook("saga", None, None), [], NOW)) == []


def test_overdue_run_tells_by_which_rule() -> None:
    """The definition's own, or what ended runs took."""
    run = OverdueRun(
        "r1", "r9", "order/1", "order", "1.0.0", "waiting", NOW, NOW, timedelta(hours=26), timedelta(hours=1), True, 0
    )
    found = overdue(run)
    assert found.what == "It has run for 1 d 2 h and is waiting; its definition allows 1 h (`sla`)."
    assert (found.run_id, found.since) == ("r9", NOW + timedelta(hours=1))
    usual = overdue(replace(run, by_definition=False, known_runs=40, expected=timedelta(milliseconds=90)))
    assert "3 times what 99 % of 40 ended runs took is 90 ms" in usual.what


def test_gravest_cause_comes_first() -> None:
    """What stops a run stands before what makes it slow."""
    broken = replace(RUN, task=PendingTask(4, NOW, "x"), activities=(replace(CHARGE, attempt=10),))
    [task, activity] = stuck_run(broken)
    assert in_order([activity, task]) == [task, activity]


def test_words_of_others_are_cut() -> None:
    """A failure may be a whole page."""
    [found] = stuck_run(replace(RUN, activities=(replace(CHARGE, attempt=10, failure="x" * 10_000),)))
    assert len(found.what) < 700


def test_step_whose_action_no_worker_has_waits_for_one() -> None:
    """At once, with the queue on which one is wanted; one that is carried out again after a stop is not stuck."""
    lacking = replace(CHARGE, attempt=2, failure="This worker has no action 'http.request'.", is_given_back=True)
    [found] = stuck_run(replace(RUN, activities=(lacking,)))
    assert (found.cause, found.step) == ("no-worker", "pay/charge")
    assert "http.request waits for a worker" in found.what
    assert "'saga'" in found.cure
    stopped = replace(lacking, failure="Its worker was stopped in the middle of it.", is_running=True)
    assert list(stuck_run(replace(RUN, activities=(stopped,)))) == []
