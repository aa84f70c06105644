"""Carrying an action out as Temporal would, in its activity environment."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.action import Action
from activities.execution import temporal_activity
from activities.resources import Resources
from contracts.steps import RetryRule, StepContext

SCHEDULED = datetime(2026, 3, 1, 12, tzinfo=UTC)


def context(step: str = "step", *, run: str = "run-1", **members: Any) -> StepContext:
    """Return the context of a step."""
    return StepContext(
        definition="example",
        version="1.0.0",
        run=run,
        workflow_id=f"example/{run}",
        step=step,
        idempotency_key=f"{run}/{step}",
        **members,
    )


@dataclass
class Attempt:
    """One attempt of a step: how Temporal describes it, and the heartbeats that it sent."""

    number: int = 1
    left: tuple[Any, ...] = ()
    seconds: float | None = 60.0
    local: bool = False
    beats: list[Any] = field(default_factory=list)

    async def of(self, action: Action[Any, Any], resources: Resources, given: Any, step: StepContext | Any) -> Any:
        """Carry the action out and return its output."""
        environment = ActivityEnvironment()
        environment.on_heartbeat = self._beat
        environment.info = dataclasses.replace(
            environment.info,
            attempt=self.number,
            heartbeat_details=list(self.left),
            scheduled_time=SCHEDULED,
            start_to_close_timeout=timedelta(seconds=self.seconds) if self.seconds else None,
            is_local=self.local,
        )
        document = step.to_json() if isinstance(step, StepContext) else step
        return await environment.run(temporal_activity(action, resources), given, document)

    async def failure(
        self, action: Action[Any, Any], resources: Resources, given: Any, step: StepContext
    ) -> ApplicationError:
        """Carry the action out and return the error that it raises."""
        with pytest.raises(ApplicationError) as caught:
            await self.of(action, resources, given, step)
        return caught.value

    def _beat(self, *details: Any) -> None:
        self.beats.append(details[0])


async def carry_out(action: Action[Any, Any], resources: Resources, given: Any, step: StepContext | None = None) -> Any:
    """Carry an action out in a first attempt and return its output."""
    return await Attempt().of(action, resources, given, step or context())


async def failure(
    action: Action[Any, Any], resources: Resources, given: Any, step: StepContext | None = None
) -> ApplicationError:
    """Carry an action out in a first attempt and return the error it raises."""
    with pytest.raises(ApplicationError) as caught:
        await carry_out(action, resources, given, step)
    return caught.value


def problem(error: ApplicationError) -> Mapping[str, Any]:
    """Return the problem document that an error carries."""
    document = error.details[0]
    assert isinstance(document, dict)
    assert document["type"] == error.type
    return document


def with_retry(rule: RetryRule) -> StepContext:
    """Return the context of a step with retry rules of its own."""
    return context(retry=rule)
