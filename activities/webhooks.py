"""`webhook.send`: tell another system that something happened.

The id is the same at every attempt and the timestamp is the attempt's (the rules of the Standard Webhooks), so that a
receiver drops what it has seen. A redirect is a failure: a webhook's address is agreed upon. 410 means that nobody
listens any more, for good.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from activities.action import Call, action
from activities.connections import connection_named
from activities.exchange import Request, exchange, merged
from activities.responses import unexpected

MAX_ANSWER_BYTES: Final = 64 * 1024
_OK: Final = range(200, 300)


class WebhookSend(BaseModel):
    """What `webhook.send` takes: `url`, or `endpoint` and `path`; and the body."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(None, max_length=8192, description="Address; http or https, without credentials.")
    endpoint: str | None = Field(None, description="Name of an outside system in connections.yaml.")
    path: str = Field("", max_length=8192, description="Path on the endpoint.")
    body: Any = Field(description="Sent as JSON.")
    headers: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_one_target(self) -> Self:
        if (self.url is None) == (self.endpoint is None):
            raise ValueError("give either `url` or `endpoint`")
        if self.url is not None and self.path:
            raise ValueError("`path` goes with `endpoint`; with `url` it is part of the URL")
        return self


class WebhookSent(BaseModel):
    """What `webhook.send` gives."""

    status: int
    webhook_id: str = Field(description="The same at every attempt.")


@action("webhook.send")
async def webhook_send(given: WebhookSend, call: Call) -> WebhookSent:
    """Send a webhook with a stable id."""
    url, headers = _target(given, call)
    webhook_id = f"msg_{call.stable_id().hex}"
    stamp = {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(datetime.now(UTC).timestamp())),
    }
    content = json.dumps(given.body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    request = Request("POST", url, merged(headers, given.headers, stamp), content, max_bytes=MAX_ANSWER_BYTES)
    reply = await exchange(call.resources.http, request)
    if reply.status not in _OK:
        raise unexpected(reply, datetime.now(UTC))
    return WebhookSent(status=reply.status, webhook_id=webhook_id)


def _target(given: WebhookSend, call: Call) -> tuple[str, dict[str, str]]:
    if given.endpoint is None:
        return given.url or "", {}
    connection = connection_named(call.resources.connections, given.endpoint)
    return connection.url(given.path), connection.headers_with(call.resources.secret)
