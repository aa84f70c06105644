"""How a plan's execution rules become Temporal's options."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio.api.common.v1 import RetryPolicy as RetryPolicyMessage

from contracts.steps import UNCOUNTED, Earlier
from tests.workflows.temporal.plans import act, definition, plan
from workflows.language.plan import Execution, Retry
from workflows.temporal.attributes import business_key_of, changes, key_of, pinned_version, starting_attributes
from workflows.temporal.options import (
    going_on_options,
    local_options,
    remote_options,
    retry_policy,
    summary,
    timer_duration,
)

FULL = Execution(attempt_timeout=5, timeout=60, heartbeat=2, queue="gpu", priority=2, retry=Retry(not_on=("rejected",)))


def test_remote_options_say_all() -> None:
    """Times, queue, priority and retries are handed over."""
    options = remote_options(FULL)
    assert options["start_to_close_timeout"] == timedelta(seconds=5)
    assert options["schedule_to_close_timeout"] == timedelta(seconds=60)
    assert options["heartbeat_timeout"] == timedelta(seconds=2)
    assert (options["task_queue"], options["priority"].priority_key) == ("gpu", 2)
    assert options["retry_policy"].non_retryable_error_types == ("rejected",)


def test_local_options_have_no_queue() -> None:
    """A local activity runs where the workflow task is."""
    assert set(local_options(FULL)) == {
        "start_to_close_timeout",
        "schedule_to_close_timeout",
        "retry_policy",
        "cancellation_type",
    }


def test_retry_policy_is_always_one_that_temporal_takes() -> None:
    """A longest delay below the first, or a shrinking delay, is made valid."""
    policy = retry_policy(Retry(attempts=0, backoff=90, factor=0.5, max_backoff=60))
    policy.apply_to_proto(RetryPolicyMessage())
    assert policy.maximum_attempts == 0
    assert policy.maximum_interval == timedelta(seconds=90)
    assert policy.backoff_coefficient == 1.0


def test_timer_is_never_of_length_zero() -> None:
    """A time that has passed fires at once."""
    assert timer_duration(0.0) == timedelta(milliseconds=1)
    assert timer_duration(2.5) == timedelta(seconds=2.5)


def test_summary_fits_the_limit_in_bytes() -> None:
    """A long summary is cut at a whole character."""
    assert summary("short") == "short"
    cut = summary("é" * 500)
    assert len(cut.encode()) <= 400
    assert cut.endswith("é…")


def test_only_changed_attributes_are_sent() -> None:
    """What a run has already is not sent again; an empty list removes the attribute."""
    present = {"SagaStatus": ["running"], "SagaKey": ["k"], "SagaCorrelation": ["a=1"]}
    updates = changes({"SagaStatus": "completed", "SagaKey": "k", "SagaCorrelation": []}, present)
    assert [(update.key.name, update.value) for update in updates] == [
        ("SagaStatus", "completed"),
        ("SagaCorrelation", None),
    ]
    assert changes({"SagaCorrelation": ["a=1"]}, present) == []
    assert changes({"SagaCorrelation": []}, {}) == []
    [added] = changes({"SagaCorrelation": ["b=2"]}, present)
    assert added.value == ["b=2"]


def test_starting_attributes_fit_the_limit() -> None:
    """A long key is cut to what the server takes."""
    made = starting_attributes(definition(plan("p", act("a"))), "é" * 2000)
    [key] = [pair.value for pair in made if pair.key.name == "SagaKey"]
    assert len(key.encode()) <= 2048


def test_pin_is_read_from_the_attributes() -> None:
    """A run without the attribute has no pin."""
    assert pinned_version({"SagaVersion": ["1.0.0+abc"]}) == "1.0.0+abc"
    assert pinned_version({}) is None
    assert pinned_version({"SagaVersion": []}) is None


def test_key_is_what_follows_the_definition() -> None:
    """The key of a run is in its workflow id, or is all of it."""
    assert key_of("order", "order/42") == "42"
    assert key_of("order", "elsewhere/42") == "elsewhere/42"
    assert key_of("order", "order/") == "order/"


def test_key_of_the_start_goes_before_the_workflow_id() -> None:
    """A history that is replayed under another workflow id keeps its key."""
    assert business_key_of({"SagaKey": ["42"]}, "order", "order/other") == "42"
    assert business_key_of({}, "order", "order/other") == "other"


def test_step_that_goes_on_has_what_is_left_of_its_time() -> None:
    """Its attempts are counted by us, behind a limit that Temporal does not reach; without a limit there is none."""
    earlier = Earlier(1, 1, unknown=True, scheduled_at="2026-03-01T12:00:00+00:00")
    now = datetime(2026, 3, 1, 12, 0, 20, tzinfo=UTC)
    options = going_on_options(FULL, earlier, now)
    assert options["schedule_to_close_timeout"] == timedelta(seconds=40)
    assert options["retry_policy"].maximum_attempts == UNCOUNTED + 5
    assert options["retry_policy"].non_retryable_error_types == ("rejected",)
    late = going_on_options(FULL, earlier, now + timedelta(hours=1))
    assert late["schedule_to_close_timeout"] == timedelta(milliseconds=1)
    endless = going_on_options(replace(FULL, retry=Retry(attempts=0), timeout=None), earlier, now)
    assert endless["schedule_to_close_timeout"] is None
    assert endless["retry_policy"].maximum_attempts == 0
