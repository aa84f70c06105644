"""Problem documents (RFC 9457): the one form in which failures travel.

An action, the engine, a child workflow and the bridge all describe a failure as a `Problem`. Temporal carries it as the
details of an `ApplicationError` whose type is the problem's type, so that retry policies and handlers select by one
word. `outcome` is our extension member: "unknown" says that the effect may have happened (a time-out after the
request was sent), which is what arms a compensation; "failed" says that it certainly did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from contracts.json import Json

LONGEST_DETAIL = 8_000
"""Characters. What a message quotes may be megabytes; Temporal takes a failure of some."""

VALIDATION = "validation"
EXPRESSION = "expression"
TIMEOUT = "timeout"
COMMUNICATION = "communication"
AUTHENTICATION = "authentication"
AUTHORIZATION = "authorization"
REJECTED = "rejected"
CANCELLED = "cancelled"
RUNTIME = "runtime"
STATE_TOO_LARGE = "state-too-large"
ROLLBACK_INCOMPLETE = "rollback-incomplete"

STANDARD_TYPES = (
    VALIDATION,
    EXPRESSION,
    TIMEOUT,
    COMMUNICATION,
    AUTHENTICATION,
    AUTHORIZATION,
    REJECTED,
    CANCELLED,
    RUNTIME,
    STATE_TOO_LARGE,
)

Outcome = Literal["failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for a person and for a handler.

    Attributes:
        type: The stable word that `retry.on`, `on_error` and `catch` select by.
        title: One line for a person; the same for every occurrence of the type.
        status: The HTTP status that fits best.
        detail: What happened this time, and what to do.
        instance: JSON pointer of the step, such as `/steps/charge`.
        outcome: "unknown" when the effect may have happened all the same.
        extensions: Further members; JSON values only.
    """

    type: str
    title: str
    status: int = 500
    detail: str = ""
    instance: str = ""
    outcome: Outcome = "failed"
    extensions: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Cut what is too long to be read, and what is no text: half a surrogate pair ends whoever writes UTF-8."""
        object.__setattr__(self, "type", readable(self.type))
        object.__setattr__(self, "title", readable(self.title))
        object.__setattr__(self, "detail", readable(self.detail))

    def at(self, instance: str) -> Problem:
        """Return the problem placed at `instance`, unless it already names its step."""
        return self if self.instance else replace(self, instance=instance)

    def to_json(self) -> dict[str, Json]:
        """Return the problem document, without empty members and without a plain "failed" outcome."""
        document: dict[str, Json] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail:
            document["detail"] = self.detail
        if self.instance:
            document["instance"] = self.instance
        if self.outcome == "unknown":
            document["outcome"] = self.outcome
        return document | dict(self.extensions)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Problem:
        """Read a problem document; members that are not standard become extensions."""
        known = {"type", "title", "status", "detail", "instance", "outcome"}
        kind = str(document.get("type") or RUNTIME)
        status = document.get("status", 500)
        return cls(
            type=kind,
            title=str(document.get("title") or kind),
            status=status if isinstance(status, int) else 500,
            detail=str(document.get("detail") or ""),
            instance=str(document.get("instance") or ""),
            outcome="unknown" if document.get("outcome") == "unknown" else "failed",
            extensions={key: value for key, value in document.items() if key not in known},
        )


def readable(text: str, longest: int = LONGEST_DETAIL) -> str:
    """Return a text for people: without halves of surrogate pairs, and cut at so many characters."""
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
