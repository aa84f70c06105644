"""How long to wait before the next try: doubling, jittered, capped.

The jitter takes up to half of the delay away, so that several bridges that lost the same service do not return in
step.
"""

from __future__ import annotations

import random
from datetime import timedelta

_FIRST_SECONDS = 0.25
_MOST_DOUBLINGS = 30


def delay_seconds(failures: int, longest: timedelta, fraction: float | None = None) -> float:
    """Return the delay after so many failures in a row (1 = the first).

    Args:
        failures: Failures in a row.
        longest: Upper limit.
        fraction: 0 to 1; random where it is not given.
    """
    part = random.random() if fraction is None else fraction  # noqa: S311 - spreads load, guards nothing
    full: float = min(_FIRST_SECONDS * 2.0 ** min(failures - 1, _MOST_DOUBLINGS), longest.total_seconds())
    return full * (1 - part / 2)
