"""The model: which class a priority belongs to."""

from __future__ import annotations

import pytest

from bridge.topology.model import PriorityClass, Topology


@pytest.mark.parametrize(
    ("priority", "name"), [(-1, "low"), (0, "low"), (3, "low"), (4, "normal"), (6, "normal"), (7, "high"), (9, "high")]
)
def test_priority_belongs_to_a_class(priority: int, name: str) -> None:
    """7 to 9 is high, 4 to 6 normal, 0 to 3 low; what is out of range is the nearest."""
    assert Topology().class_of(priority) == name


def test_class_of_follows_the_classes() -> None:
    """Other classes have other bounds."""
    topology = Topology(
        classes=(PriorityClass("high", 9, 1), PriorityClass("normal", 1, 1), PriorityClass("low", 0, 1))
    )
    assert [topology.class_of(priority) for priority in (255, 8, 1, 0)] == ["high", "normal", "normal", "low"]
