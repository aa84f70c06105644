"""The revision of the engine: which commands it gives for the same events.

A history is replayed by the engine of now, and has to lead to the commands that are in it. Whoever changes what
`advance` gives for a past that some history may have raises `REVISION`, and keeps the old way where
`state.engine` is lower. The revision that a run began with is on record in its history (`workflows/temporal/opening`),
in its first event and in its state, and stays the same for as long as the run lasts; a run that is resumed begins
anew, with the revision of the day.
"""

from __future__ import annotations

from typing import Final

FIRST: Final = 1
REVISION: Final = FIRST
