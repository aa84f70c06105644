"""docs/operations.md names what there is: settings with their defaults, search attributes, limits."""

from __future__ import annotations

import re
from datetime import timedelta

from pydantic_core import PydanticUndefined

from bridge.settings import BridgeSettings
from bridge.topology.model import MAX_PARTITIONS
from cli.settings import PREFIX, Settings
from cli.stack.temporal import SEARCH_ATTRIBUTES
from tests.docs.pages import first_cells, section


def spelt(value: object) -> str:
    """Return a default as the table has it: nothing for none, durations as they are written."""
    if isinstance(value, timedelta):
        if value < timedelta(minutes=1):
            return f"{value // timedelta(seconds=1)}s"
        return f"{value.days}d" if value > timedelta(days=1) else f"{value // timedelta(hours=1)}h"
    return "" if value is None else str(value)


def test_settings_are_those_of_the_model() -> None:
    """Name and default of each setting stand in the table, in the order of the model."""
    rows = re.findall(r"^\| `(\w+)` \| (?:`([^`]+)`)? ?\|", section("operations.md", "Settings"), re.MULTILINE)
    wanted = [(f"{PREFIX}{name.upper()}", field.default) for name, field in Settings.model_fields.items()]
    assert PydanticUndefined not in dict(wanted).values()
    assert rows == [(name, spelt(default)) for name, default in wanted]


def test_search_attributes_are_those_that_are_registered() -> None:
    """The table of search attributes is that of the stack."""
    assert set(SEARCH_ATTRIBUTES) <= set(first_cells(section("operations.md", "Services")))


def test_limits_are_those_of_the_bridge() -> None:
    """What cannot be set is what the bridge does."""
    usual, text = BridgeSettings(), section("operations.md", "Limits")
    assert f"fails for an unclear reason | {usual.attempts}," in text
    assert f"that nobody answers | {usual.deliveries} |" in text
    assert f"to Temporal in flight | {usual.concurrency} |" in text
    assert f"| `partitions` | {MAX_PARTITIONS} |" in text
