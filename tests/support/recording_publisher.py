"""A publisher for tests: it keeps what was published."""

from __future__ import annotations

from contracts.envelope import Event


class RecordingPublisher:
    """An `EventPublisher` that remembers; `failure` is raised in place of the next confirmation."""

    def __init__(self) -> None:
        """Begin with nothing published."""
        self.published: list[tuple[Event, int]] = []
        self.failure: Exception | None = None

    async def publish(self, event: Event, *, priority: int = 0) -> None:
        """Remember the event, or fail as told."""
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        self.published.append((event, priority))

    def types(self) -> list[str]:
        """Return the types of what was published, in order."""
        return [event.type for event, _ in self.published]
