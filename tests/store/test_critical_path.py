"""Critical paths, walked by hand."""

from __future__ import annotations

from store.critical_path import Course, CriticalPath, Interval, critical_path, walked


def step(path: str, began: float, ended: float, kind: str = "action") -> Interval:
    """A step whose id is the end of its path."""
    return Interval(path, path.removesuffix("/compensate").rpartition("/")[2], kind, began, ended)


def names(course: Course) -> list[str]:
    """Return the paths on the critical path of a run, the first step first."""
    return [each.path for each in walked(course)][::-1]


def test_walked_takes_the_branch_that_ended_last() -> None:
    """A branch that was done earlier held nothing up, and the fork around both has no time of its own."""
    steps = [step("a", 0, 1), step("fork", 1, 6, "parallel"), step("b", 1, 3), step("c", 1, 6), step("d", 6, 7)]
    assert names(Course(7, steps)) == ["a", "c", "d"]


def test_walked_leaves_out_what_still_ran_while_the_path_went_on() -> None:
    """The loser of a race ends after the winner's successor has begun."""
    assert names(Course(6, [step("fast", 0, 2), step("slow", 0, 3), step("next", 2, 6)])) == ["fast", "next"]


def test_walked_takes_steps_without_length() -> None:
    """Several at one moment are all on the path, in their order, and do not go round in circles."""
    assert names(Course(1, [step("set", 0, 0), step("a", 0, 1), step("end", 1, 1)])) == ["set", "a", "end"]


def test_walked_counts_a_foreach_only_where_its_items_ran_elsewhere() -> None:
    """In slices, it stands for them; else the items do."""
    whole, item = step("pack", 0, 4, "foreach"), step("pack[1]/weigh", 0, 4)
    assert names(Course(4, [whole])) == ["pack"]
    assert names(Course(4, [whole, item])) == ["pack[1]/weigh"]


def test_critical_path_adds_runs_up_by_step_id() -> None:
    """Shares are of the time of all runs; what lies between steps is told; items of a loop are one step."""
    first = Course(10, [step("a", 0, 2), step("pack[0]/weigh", 2, 5), step("pack[1]/weigh", 5, 9)])
    second = Course(10, [step("a", 0, 8), step("a/compensate", 8, 10, "compensation")])
    path = critical_path([first, second])
    assert (path.runs, path.seconds, path.between) == (2, 20.0, 1.0)
    found = [(stop.step, stop.is_compensation, stop.runs, stop.led, stop.seconds, stop.share) for stop in path.stops]
    assert found == [
        ("a", False, 2, 1, 10, 0.5),
        ("weigh", False, 1, 1, 7, 0.35),
        ("a", True, 1, 0, 2, 0.1),
    ]
    assert path.bottleneck is path.stops[0]


def test_critical_path_of_nothing_is_empty() -> None:
    """No runs, or runs without steps or length."""
    assert critical_path([]) == CriticalPath()
    assert critical_path([]).bottleneck is None
    assert critical_path([Course(0, [step("a", 0, 0)])]).bottleneck is None
