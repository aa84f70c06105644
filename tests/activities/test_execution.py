"""From a Temporal activity to an action and back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio.exceptions import ApplicationError

from activities.action import Action, Call, action
from activities.data import data_transform
from activities.resources import Resources
from contracts.errors import TemporaryError
from contracts.steps import RetryRule
from tests.activities.carrying import SCHEDULED, Attempt, carry_out, context, failure, problem, with_retry


class Given(BaseModel):
    """What the actions of this test take."""

    text: str = ""


class Made(BaseModel):
    """What they give."""

    attempt: int


@action("test.echo")
async def echo(given: Given, call: Call) -> Made:
    """Tell what the call says."""
    assert call.scheduled_at == SCHEDULED
    call.heartbeat({"text": given.text})
    return Made(attempt=call.attempt)


@action("test.break")
async def breaking(given: Given, call: Call) -> Made:
    """Fail."""
    raise TemporaryError(given.text)


@action("test.slow")
async def slow(given: Given, call: Call) -> Made:
    """Never end."""
    await asyncio.Event().wait()
    raise AssertionError


@action("test.translated")
async def translated(given: Given, call: Call) -> Made:
    """Raise what is translated already."""
    raise ApplicationError("own", type="own")


async def failed(attempt: Attempt, what: Action[Any, Any], resources: Resources, step: Any = None) -> ApplicationError:
    """Return the error of an attempt."""
    with pytest.raises(ApplicationError) as caught:
        await attempt.of(what, resources, {"text": "x"}, step or context())
    return caught.value


async def test_action_learns_of_its_attempt(outside: Resources) -> None:
    """Number and time of scheduling come from Temporal, the context from the step."""
    attempt = Attempt(3, ({"certain": 2, "unknown": False},))
    assert await attempt.of(echo, outside, {"text": "half"}, context()) == {"attempt": 3}
    assert attempt.beats == [{"certain": 2, "unknown": False, "progress": {"text": "half"}}]


async def test_action_summary_is_the_docstring() -> None:
    """The decorator reads name, models and summary from the function."""
    assert (echo.name, echo.given, echo.made, echo.summary) == ("test.echo", Given, Made, "Tell what the call says.")


async def test_failure_is_told_to_the_next_attempt(outside: Resources) -> None:
    """A certain failure leaves its word; the next attempt reads it and stays clean."""
    first = Attempt()
    error = await failed(first, breaking, outside)
    assert (error.type, "outcome" in problem(error)) == ("communication", False)
    second = Attempt(2, (first.beats[-1],))
    assert "outcome" not in problem(await failed(second, breaking, outside))
    assert second.beats[-1] == {"certain": 2, "unknown": False}


async def test_failure_after_a_silent_attempt_is_unknown(outside: Resources) -> None:
    """The attempt before said nothing: its worker died, or it ran out of time."""
    second = Attempt(2)
    assert problem(await failed(second, breaking, outside))["outcome"] == "unknown"
    third = Attempt(3, (second.beats[-1],))
    assert problem(await failed(third, breaking, outside))["outcome"] == "unknown"


async def test_attempt_ends_with_its_time(outside: Resources) -> None:
    """What the server has given up does not go on here; its outcome is unknown."""
    attempt = Attempt(seconds=0.01)
    error = await failed(attempt, slow, outside)
    assert (error.type, problem(error)["outcome"]) == ("timeout", "unknown")
    assert attempt.beats[-1] == {"certain": 1, "unknown": True}


async def test_local_attempt_sends_no_heartbeat(outside: Resources) -> None:
    """There is nobody to send it to."""
    attempt = Attempt(local=True)
    assert await attempt.of(echo, outside, {}, context()) == {"attempt": 1}
    await failed(attempt, breaking, outside)
    assert attempt.beats == []


async def test_translated_error_passes(outside: Resources) -> None:
    """An action may raise Temporal's own error."""
    assert (await failure(translated, outside, {})).type == "own"


@pytest.mark.parametrize("document", [None, {}, {"step": 1}, "x", []])
async def test_missing_context_is_refused(outside: Resources, document: Any) -> None:
    """An activity that was not started by a step says so."""
    with pytest.raises(ApplicationError) as caught:
        await Attempt().of(echo, outside, {}, document)
    assert (caught.value.type, caught.value.non_retryable) == ("validation", True)


async def test_retry_rules_travel_with_the_step(outside: Resources) -> None:
    """The step's list of types and its jitter decide."""
    other = await failure(breaking, outside, {}, with_retry(RetryRule(on=("timeout",))))
    assert other.non_retryable
    jittered = await failure(breaking, outside, {}, with_retry(RetryRule(jitter=0.5, backoff=10.0)))
    assert jittered.next_retry_delay is not None
    assert timedelta(seconds=5) <= jittered.next_retry_delay <= timedelta(seconds=10)


async def test_output_is_json(outside: Resources) -> None:
    """The output travels in JSON's own types."""
    assert await carry_out(echo, outside, {}) == {"attempt": 1}


async def test_output_that_is_too_large_is_a_problem(outside: Resources) -> None:
    """Temporal would not take it; the effect has happened all the same, so the step's outcome is unknown."""
    given = {"value": ["x" * 1_500_000, "y" * 1_500_000]}
    with pytest.raises(ApplicationError) as caught:
        await carry_out(data_transform, outside, given)
    assert problem(caught.value)["title"] == "The result is too large"
    assert problem(caught.value)["outcome"] == "unknown"
    assert caught.value.non_retryable
