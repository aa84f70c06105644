"""The size of the suite: short in every run of the tests, full under `SAGA_CHAOS=full`, which `make chaos` sets.

What a load consists of follows from one seed, which every failure names: `SAGA_CHAOS_SEED=<seed>` repeats it. The
exact moment of a fault depends on the machine.
"""

from __future__ import annotations

import os
import secrets
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("SAGA_CHAOS") == "full"
SEED = int(os.environ.get("SAGA_CHAOS_SEED") or secrets.randbelow(1_000_000))

TIMEOUT_SECONDS = 120.0
"""Seconds for what takes a few on an idle machine."""


def sized(short: T, full: T) -> T:
    """Choose by the form of the suite."""
    return full if FULL else short
