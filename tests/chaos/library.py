"""The definitions whose triggers the events match, and the workflows that they start.

The workflows are by hand and drop nothing themselves, so that a message that is delivered twice shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from tests.bridge.library import definition, library, on, template
from workflows.language.triggers import Hold, Signal, Start

KEY = template("${ event.data.id }")
LAST_SIGNAL = "end"

LIBRARY = library(
    definition("quick", on("quick.*", Start(KEY))),
    definition(
        "patient",
        on("patient.begin", Start(KEY)),
        on("patient.note", Signal(KEY, "note")),
        on("patient.early", Signal(KEY, "note", if_missing=Hold())),
        on("patient.visit", Signal(KEY, "note", if_missing="start")),
    ),
)


@workflow.defn(name="quick", sandboxed=False)
class Quick:
    """Ends at once."""

    @workflow.run
    async def run(self, data: Any) -> None:
        """Do nothing."""


@workflow.defn(name="patient", sandboxed=False)
class Patient:
    """Collects signals until the last one."""

    def __init__(self) -> None:
        """Begin without signals."""
        self.signals: list[str] = []

    @workflow.run
    async def run(self, data: Any) -> list[str]:
        """Wait for the last signal."""
        await workflow.wait_condition(lambda: LAST_SIGNAL in self.signals)
        return self.signals

    @workflow.signal(dynamic=True)
    async def note(self, name: str, arguments: Sequence[RawValue]) -> None:
        """Keep the value of a signal."""
        self.signals.append(workflow.payload_converter().from_payload(arguments[0].payload)["say"])
