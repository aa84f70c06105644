"""What an action is: a typed function with a name.

`@action("http.request")` stands over `async def http_request(given: HttpRequest, call: Call) -> HttpReply`. The
pydantic models give the JSON Schemas for validation, completion and documentation; the docstring's first line is the
summary. The decorator registers nothing: `activities/registry.py` lists the actions in one place.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar, get_type_hints
from uuid import UUID, uuid5

from pydantic import BaseModel

from activities.problems import PermanentProblemError
from activities.resources import Resources
from contracts.actions import ActionSpec
from contracts.json import Json
from contracts.problems import RUNTIME, Problem
from contracts.sizes import excess, too_large
from contracts.steps import StepContext

IDS: Final = UUID("5d0bb1fd-6cb1-5a0b-9a5c-0f6d1f2c8a34")
ATTEMPT_SECONDS: Final = 60.0

Given = TypeVar("Given", bound=BaseModel)
Made = TypeVar("Made", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt to carry out an action.

    A cancelled step shows as `asyncio.CancelledError` at an await point, also in actions that never call `heartbeat`.

    Attributes:
        context: Which step of which run.
        resources: What may be used.
        attempt: 1 for the first.
        scheduled_at: When the step was scheduled; the same at every attempt.
        heartbeat: Tells the server that the attempt is alive, and how far it is.
        tainted: Whether the effect of an earlier attempt may have happened.
    """

    context: StepContext
    resources: Resources
    attempt: int
    scheduled_at: datetime
    heartbeat: Callable[[Json], None]
    tainted: bool = False

    def stable_id(self, purpose: str = "") -> UUID:
        """Return an id that is the same at every attempt of this step."""
        return uuid5(IDS, f"{self.context.idempotency_key}#{purpose}" if purpose else self.context.idempotency_key)


@dataclass(frozen=True, slots=True)
class Action(Generic[Given, Made]):
    """A registered action; made by `action`."""

    name: str
    function: Callable[[Given, Call], Awaitable[Made]]
    given: type[Given]
    made: type[Made]
    summary: str
    local: bool
    attempt_timeout: float

    def spec(self) -> ActionSpec:
        """Return what the compiler and the engine know of this action."""
        return ActionSpec(
            name=self.name,
            summary=self.summary,
            input_schema=self.given.model_json_schema(by_alias=True, mode="validation"),
            output_schema=self.made.model_json_schema(by_alias=True, mode="serialization"),
            local=self.local,
            attempt_timeout=self.attempt_timeout,
        )

    async def __call__(self, arguments: Any, call: Call) -> Json:
        """Carry the action out and return its output as JSON.

        Raises:
            pydantic.ValidationError: `arguments` do not fit the input model.
            PermanentProblemError: The output cannot be written; the effect stands, whatever becomes of the answer.
        """
        made = await self.function(self.given.model_validate(arguments), call)
        try:
            output: Json = made.model_dump(mode="json", by_alias=True)
            size = excess(output)
        except (ValueError, TypeError) as error:
            problem = Problem(RUNTIME, "The result cannot be sent", 500, str(error), outcome="unknown")
            raise PermanentProblemError(problem) from error
        if size is not None:
            detail = too_large("The result", size)
            raise PermanentProblemError(Problem(RUNTIME, "The result is too large", 413, detail, outcome="unknown"))
        return output


def action(
    name: str, *, local: bool = False, attempt_timeout: float = ATTEMPT_SECONDS
) -> Callable[[Callable[[Given, Call], Awaitable[Made]]], Action[Given, Made]]:
    """Make an action of an async function `(given: InputModel, call: Call) -> OutputModel`.

    Args:
        name: As written in `action:`.
        local: Whether it runs as a local activity unless a step says otherwise: it is quick, idempotent and never
            waits.
        attempt_timeout: Seconds an attempt may take unless a step says otherwise.
    """

    def decorate(function: Callable[[Given, Call], Awaitable[Made]]) -> Action[Given, Made]:
        hints = get_type_hints(function)
        given = hints[next(iter(inspect.signature(function).parameters))]
        summary = (inspect.getdoc(function) or "").partition("\n")[0]
        return Action(name, function, given, hints["return"], summary, local, attempt_timeout)

    return decorate
