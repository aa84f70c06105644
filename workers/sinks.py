"""Several takers of new states, as the one sink that a worker has.

Each is called in turn, on the thread that carries out the workflow task: a sink only counts or queues.
"""

from __future__ import annotations

from workflows.engine.events import Event
from workflows.engine.state import State
from workflows.temporal.course import Sink


def both(*sinks: Sink) -> Sink:
    """Return the sink that gives each state to all of `sinks`, in their order."""

    def give(run: str, sequence: int, event: Event, state: State) -> None:
        for sink in sinks:
            sink(run, sequence, event, state)

    return give
