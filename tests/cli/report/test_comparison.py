"""Which differences of two versions matter."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.report.comparison import Comparison, Line, compare
from store.report_figures import VersionReport
from tests.cli.report.figures import STEP, VERSION, quick


def line(comparison: Comparison, name: str) -> Line:
    """Return the line of this name."""
    (found,) = [each for each in (*comparison.whole, *comparison.steps) if each.name == name]
    return found


def with_rate(succeeded: int, ended: int) -> VersionReport:
    """A version of which so many runs succeeded."""
    return replace(VERSION, succeeded=succeeded, ended=ended, outcomes={"completed": ended})


def test_compare_finds_no_difference_between_equals() -> None:
    """Nothing matters, nothing has changed."""
    comparison = compare(VERSION, VERSION)
    assert comparison.matters == ()
    assert {each.change for each in comparison.whole} == {"+0.0 points", "±0 %"}


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((900, 1000), (960, 1000), "better"),
        ((960, 1000), (900, 1000), "worse"),
        ((45, 50), (48, 50), "alike"),  # may be chance
        ((99_000, 100_000), (99_200, 100_000), "alike"),  # surely so, but nobody cares
        ((5, 10), (10, 10), "too few"),
        ((0, 0), (10, 10), "too few"),
    ],
)
def test_success_matters_beyond_chance_and_a_point(
    before: tuple[int, int], after: tuple[int, int], verdict: str
) -> None:
    """Both are needed, and 20 runs each."""
    assert line(compare(with_rate(*before), with_rate(*after)), "success rate").verdict == verdict


def test_percentiles_matter_where_their_intervals_are_apart() -> None:
    """A median of 1 s against 2 s over many runs; a p99 needs a hundred of them."""
    slow = replace(VERSION, durations=quick([2 + each / 1000 for each in range(90)]))
    fast = replace(VERSION, durations=quick([1 + each / 1000 for each in range(90)]))
    assert line(compare(slow, fast), "duration p50").verdict == "better"
    assert line(compare(fast, slow), "duration p95").verdict == "worse"
    assert line(compare(slow, fast), "duration p99").verdict == "too few"
    none = line(compare(slow, replace(VERSION, durations=None)), "duration p50")
    assert (none.after, none.change, none.verdict) == ("-", "-", "too few")


def test_percentiles_of_wide_spread_may_differ_by_chance() -> None:
    """Two halves of one heap are alike, although their medians are not the same."""
    first = replace(VERSION, durations=quick([1.2**each for each in range(0, 60, 2)]))
    second = replace(VERSION, durations=quick([1.2**each for each in range(1, 60, 2)]))
    found = line(compare(first, second), "duration p50")
    assert (found.change, found.verdict) == ("+20 %", "alike")


def test_steps_matter_by_their_means() -> None:
    """A tenth, beyond what their spread explains; a step of one version alone is told so."""
    slower = replace(STEP, total=300.0, squares=1000.0)
    spread = replace(STEP, total=300.0, squares=90_000.0)
    assert line(compare(VERSION, replace(VERSION, steps=(slower,))), "charge").verdict == "worse"
    assert line(compare(VERSION, replace(VERSION, steps=(spread,))), "charge").verdict == "alike"
    few = replace(STEP, ended=3)
    assert line(compare(VERSION, replace(VERSION, steps=(few,))), "charge").verdict == "too few"
    other = compare(VERSION, replace(VERSION, steps=(replace(STEP, step="bill"),)))
    assert [(each.name, each.change) for each in other.steps] == [("charge", "gone"), ("bill", "new")]


def test_cost_matters_from_a_tenth() -> None:
    """Actions are counted, not sampled."""
    found = line(compare(VERSION, replace(VERSION, actions=500)), "actions per run")
    assert (found.before, found.after, found.verdict) == ("10.1", "5.1", "better")
