"""Several takers of new states, as the one sink that a worker has.

Each is called in turn, on the thread that carries out the workflow task: a sink only counts or queues.
"""

from __future__ import annotations

from workflows.temporal.course import Move, Sink


def both(*sinks: Sink) -> Sink:
    """Return the sink that gives each state to all of `sinks`, in their order."""

    def give(move: Move) -> None:
        for sink in sinks:
            sink(move)

    return give
