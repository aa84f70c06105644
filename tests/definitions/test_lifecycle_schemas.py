"""The schemas of the events that the product tells of runs."""

from __future__ import annotations

from pathlib import Path

from cli.bus import read_bus_files
from workflows.language.watching import BREACHED, MOMENTS, PREFIX

EVENTS = Path(__file__).parents[2] / "definitions" / "events"


def test_each_moment_has_a_schema() -> None:
    """And a breach; there is none for what is never told."""
    found = {folder.name for folder in EVENTS.iterdir() if folder.name.startswith(PREFIX)}
    assert found == {f"{PREFIX}{moment}" for moment in MOMENTS} | {BREACHED}
    assert read_bus_files(EVENTS.parent).schemas is not None
