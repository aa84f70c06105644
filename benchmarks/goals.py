"""The lines of a benchmark's report, and whether each goal is met.

Goals are for what a busy machine does not change: the CPU that a process has used, and counts. Throughput and latency
swing by half with what else runs there, so they are shown beside, without a goal. Of CPU the ratios of turns that stood
side by side are taken, and their median: a drift of the machine is in both.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

Pairs = Sequence[tuple[float, float]]
"""Figures of turns that stood side by side: the product's, and the one by hand."""


@dataclass(frozen=True)
class Row:
    """One line of the report; `holds` says whether its goal, if it has one, is met."""

    name: str
    product: str
    by_hand: str
    ratio: str
    goal: str
    holds: bool


def paired_ratio(pairs: Pairs) -> float:
    """Return the median of the ratios of turns that stood side by side."""
    return statistics.median(ours / by_hand for ours, by_hand in pairs)


def at_most(name: str, pairs: Pairs, unit: str, goal: float) -> Row:
    """Hold the paired ratio to a goal."""
    return replace(beside(name, pairs, unit), goal=f"<= {goal:.2f} x", holds=paired_ratio(pairs) <= goal)


def beside(name: str, pairs: Pairs, unit: str) -> Row:
    """Show both and their paired ratio, without a goal."""
    ours, by_hand = (f"{_figure(statistics.median(side))} {unit}" for side in zip(*pairs, strict=True))
    return Row(name, ours, by_hand, f"{paired_ratio(pairs):.2f} x", "", holds=True)


def _figure(value: float) -> str:
    """Counts stay whole, and what is large needs no fractions."""
    return f"{value:,.0f}" if value == int(value) or value >= 1000 else f"{value:,.2f}"  # noqa: PLR2004 - a thousand


def limit(name: str, value: float, unit: str, goal: float, by_hand: str = "") -> Row:
    """Hold a value to a goal that is no ratio; what it is by hand is shown where it is known."""
    return Row(name, f"{_figure(value)} {unit}", by_hand, "", f"<= {goal:g} {unit}", value <= goal)


def told(name: str, value: str, by_hand: str = "") -> Row:
    """Show a figure that has no goal."""
    return Row(name, value, by_hand, "", "", holds=True)


def all_hold(rows: Sequence[Row]) -> bool:
    """Tell whether every goal was met."""
    return all(row.holds for row in rows)


def as_text(rows: Sequence[Row]) -> str:
    """Return the report as a table; a line without a goal has no mark."""
    lines = [f"{'':46}{'product':>18}{'by hand':>18}{'ratio':>9}  goal"]
    for row in rows:
        mark = "MISSED" if not row.holds else "ok" if row.goal else ""
        line = f"{row.name:46}{row.product:>18}{row.by_hand:>18}{row.ratio:>9}  {row.goal:18}{mark}"
        lines.append(line.rstrip())
    return "\n".join(lines)
