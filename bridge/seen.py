"""The runs that this process knows to be started, so that a repeated event is told apart from a new one.

Temporal answers a repeated start as it answered the first one. That is right for correctness, which does not rest
on this memory, but the person who watches wants to read "already started". It is bounded, and empty again after a
restart.
"""

from __future__ import annotations

from collections import OrderedDict

_MOST = 10_000


class SeenRuns:
    """The latest run ids."""

    def __init__(self) -> None:
        """Begin without any."""
        self._ids: OrderedDict[str, None] = OrderedDict()

    def is_new(self, run_id: str) -> bool:
        """Remember a run id and tell whether it was not there before."""
        if run_id in self._ids:
            return False
        self._ids[run_id] = None
        if len(self._ids) > _MOST:
            self._ids.popitem(last=False)
        return True
