"""What the stack tells while it starts and stops, as data: the command line turns it into progress lines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from cli.stack.errors import ServiceFailedError


class Happening(StrEnum):
    """What has happened to a part of the stack."""

    STARTING = "starting"
    STARTED = "started"
    REUSED = "reused"
    GIVEN = "given"
    STOPPED = "stopped"
    NOTE = "note"


@dataclass(frozen=True)
class StackEvent:
    """Something that happened to one part.

    Attributes:
        part: `Temporal`, `PostgreSQL` or `RabbitMQ`.
        happening: What happened.
        address: Where the part is, without passwords; empty while it is not known.
        seconds: How long it took; 0 where nothing was waited for.
        note: A sentence for a person; empty where there is nothing to add.
    """

    part: str
    happening: Happening
    address: str = ""
    seconds: float = 0.0
    note: str = ""


Report = Callable[[StackEvent], None]


@dataclass(frozen=True)
class Service:
    """A part of the stack that can be used now.

    Attributes:
        url: What a client connects to, passwords included.
        shown: The same for people, without passwords.
        happening: Whether it was given, reused or started.
        ui: The address of its web interface, if it has one.
        ended: Waits until a program of it ends by itself, and says how; None where it is not ours.
    """

    url: str
    shown: str
    happening: Happening
    ui: str | None = None
    ended: Callable[[], Awaitable[ServiceFailedError]] | None = field(default=None, compare=False)
