"""How a benchmark's figures are compared with its goals."""

from __future__ import annotations

from benchmarks.bridge_counts import Counts, per_event
from benchmarks.goals import all_hold, as_text, at_most, beside, limit, paired_ratio, told

DRIFTING = [(11.0, 10.0), (21.0, 20.0), (48.0, 40.0)]


def test_paired_ratio_leaves_out_what_drifts() -> None:
    """The machine became four times slower; the median of the ratios of neighbours does not show it."""
    assert paired_ratio(DRIFTING) == 1.1


def test_at_most_holds_up_to_its_goal() -> None:
    """A ratio that is its goal meets it, one above misses it; the medians stand beside each other."""
    row = at_most("CPU", DRIFTING, "ms", 1.1)
    assert (row.product, row.by_hand, row.ratio, row.goal, row.holds) == (
        *("21 ms", "20 ms", "1.10 x", "<= 1.10 x"),
        True,
    )
    assert not at_most("CPU", DRIFTING, "ms", 1.09).holds


def test_limit_compares_a_value() -> None:
    """A count is held to a number; fractions are shown where they matter."""
    assert limit("events", 24, "events", 25).holds
    assert not limit("events", 25.01, "events", 25).holds
    shown = [limit("n", value, "u", 0).product for value in (24, 1234.5, 14.826)]
    assert shown == ["24 u", "1,234 u", "14.83 u"]


def test_figures_without_a_goal_are_never_missed() -> None:
    """Throughput and latency are shown, whatever they are."""
    rows = [beside("throughput", [(1.0, 1000.0)], "runs/s"), told("drained", "3 /s")]
    assert all_hold(rows)
    assert not any(mark in as_text(rows) for mark in ("ok", "MISSED"))


def test_a_missed_goal_is_marked() -> None:
    """One missed goal is enough, and its line says so."""
    rows = [limit("kept", 1, "KB", 2), limit("broken", 3, "KB", 2)]
    assert not all_hold(rows)
    assert [line.split()[-1] for line in as_text(rows).splitlines()[1:]] == ["ok", "MISSED"]


def test_per_event_shares_out_what_a_turn_added() -> None:
    """Totals before the turn count for nothing."""
    before, after = Counts(100, 10, 5, 50, 1_000), Counts(150, 110, 30, 250, 101_000)
    assert per_event(before, after, 50) == Counts(1, 2, 0.5, 4, 2_000)
