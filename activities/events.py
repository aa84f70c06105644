"""`event.publish`: tell the event bus. The action behind the step type `emit`.

The event's id and time are fixed by run and step: a repeated attempt publishes a duplicate that consumers recognise
and drop. Only the trace context in its metadata differs from attempt to attempt.

What the worker was given as publisher decides when the step is done: with a database it is the outbox, so that a broker
that is away stops no run; without one it is the bus itself, and the step waits for the broker's confirm.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from activities.action import Call, action
from contracts.envelope import Event
from contracts.json import Json
from contracts.names import ACTION_PUBLISH
from contracts.tracing import current_trace

EVENT_TYPE: Final = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"
ROUTING_KEY_BYTES: Final = 255


class EventPublish(BaseModel):
    """What `event.publish` takes."""

    model_config = ConfigDict(extra="forbid")

    event_type: str = Field(pattern=EVENT_TYPE, max_length=ROUTING_KEY_BYTES, description="Such as `order.placed`.")
    data: Any = Field(description="The payload.")
    event_version: str = Field("1.0", description="Version of the type's schema.")
    priority: int = Field(0, ge=0, le=9, description="0 (lowest) to 9.")
    key: str | None = Field(None, description="Events with one key are handled in order.")


class EventPublished(BaseModel):
    """What `event.publish` gives."""

    event_id: str = Field(description="The same at every attempt.")


@action(ACTION_PUBLISH)
async def event_publish(given: EventPublish, call: Call) -> EventPublished:
    """Publish an event on the event bus."""
    event = event_of(call, given.event_type, given.data, version=given.event_version, key=given.key)
    await call.resources.opened_publisher().publish(event, priority=given.priority)
    return EventPublished(event_id=event.id)


def event_of(
    call: Call, event_type: str, data: Json, *, version: str = "1.0", key: str | None = None, purpose: str = ""
) -> Event:
    """Return the event that this step publishes; `purpose` tells several of one step apart."""
    metadata: dict[str, Json] = {
        "correlation_id": call.context.correlation_id or call.context.run,
        "causation_id": call.context.run,
        "workflow_id": call.context.workflow_id,
        **current_trace(),
    }
    if key is not None:
        metadata["group_id"] = key
    return Event(
        id=str(call.stable_id(purpose)),
        type=event_type,
        version=version,
        time=call.scheduled_at,
        source=call.resources.source,
        data=data,
        metadata=metadata,
    )
