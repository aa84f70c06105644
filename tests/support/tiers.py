"""Three tiers of tests, by marker, and who may not run beside whom.

`unit` is one process alone, `integration` talks to real servers or starts processes, `fault` kills, cuts or floods
them. A test that asks for a server or a shell is one of `integration` unless it says that it is one of `fault`; one
that starts processes by itself says what it is; all others are `unit`, and fail where they start one all the same. The
slow tiers begin first, so that the many short tests fill the gaps at the end.

Workers share nothing but the servers. Tests of one `xdist_group` run in one worker, one after the other, because they
share something costly, or because they change something of which the machine has only one.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest
from coverage import Coverage

from tests.support.processes import MEASURING

TIERS: Final = MappingProxyType(
    {
        "fault": "servers and processes are killed, cut off or flooded",
        "integration": "real servers, or processes of its own",
        "unit": "one process alone: the whole tier takes less than a minute",
    }
)
"""In the order in which they run."""

PROCESSES: Final = frozenset(
    {"temporal_service", "time_skipping", "postgres_service", "rabbitmq_node", "running_cluster", "s3_server", "shell"}
)
"""The fixtures for which a process runs."""

COSTLY: Final = frozenset({"running_cluster", "servers", "shipped_deployment", "event_deployment"})
"""The fixtures of a whole session that start several processes: the tests of each are one group."""

_STARTS: Final = frozenset({"subprocess.Popen", "os.fork", "os.posix_spawn"})
_SUMMARY: Final = Path("build/tests.txt")


def pytest_configure(config: pytest.Config) -> None:
    """Name the tiers."""
    for tier, meaning in TIERS.items():
        config.addinivalue_line("markers", f"{tier}: {meaning}")
    config.addinivalue_line("markers", "unmeasured: coverage rests")


def pytest_sessionstart() -> None:
    """Watch what unit tests do; this cannot be taken back, so it is done once in a process."""
    sys.addaudithook(_refuse_processes)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Know which tier the test that runs is one of, and measure it if that tells something."""
    _running.tier = tier_of(item)
    try:
        with nullcontext() if is_measured(item) else unmeasured():
            return (yield)
    finally:
        _running.tier = None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give a test its tier and its group."""
    tier = tier_of(item)
    item.add_marker(tier)
    item.user_properties.append(("tier", tier))
    if (group := group_of(item, tier)) is not None and item.get_closest_marker("xdist_group") is None:
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the slow tiers to the front."""
    order = list(TIERS)
    items.sort(key=lambda item: order.index(tier_of(item)))


def tier_of(item: pytest.Item) -> str:
    """Return the tier of a test."""
    for tier in TIERS:
        if item.get_closest_marker(tier):
            return tier
    return "integration" if PROCESSES & set(getattr(item, "fixturenames", ())) else "unit"


def group_of(item: pytest.Item, tier: str) -> str | None:
    """Return the group whose tests run one after the other with this one; None where it may run anywhere."""
    if costly := COSTLY & set(getattr(item, "fixturenames", ())):
        return min(costly)
    # Handing out thousands of tests of a millisecond one by one would cost more than they do.
    return item.nodeid.partition("::")[0] if tier == "unit" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many tests each tier has and how long they took."""
    line = ", ".join(_told(terminalreporter))
    if line:
        terminalreporter.write_line(line)
        _SUMMARY.parent.mkdir(exist_ok=True)
        _SUMMARY.write_text(f"{line}\n")


def is_measured(item: pytest.Item) -> bool:
    """Tell whether coverage counts what a test reaches.

    Measuring doubles the time of Python. It rests where it tells nothing: a process that is killed writes nothing of
    what was measured, and hundreds of examples of a property, or twenty processes that do the same, reach what others
    do.
    """
    is_property = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    return not (is_property or tier_of(item) == "fault" or item.get_closest_marker("unmeasured"))


@contextmanager
def unmeasured() -> Iterator[None]:
    """Let coverage rest inside the block, here and in the processes that are started."""
    coverage = Coverage.current()
    told = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(MEASURING)}
    if coverage is not None:
        coverage.stop()
    try:
        yield
    finally:
        os.environ.update(told)
        if coverage is not None:
            coverage.start()


class _Running:
    """The test that runs in this process."""

    tier: str | None = None


_running = _Running()


def _refuse_processes(event: str, _: tuple[object, ...]) -> None:
    if event in _STARTS and _running.tier == "unit":
        raise AssertionError("a unit test has started a process: it belongs into the tier `integration`")


def _told(reporter: pytest.TerminalReporter) -> Iterator[str]:
    seconds: defaultdict[str, float] = defaultdict(float)
    tests: defaultdict[str, set[str]] = defaultdict(set)
    for reports in reporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                tier = dict(report.user_properties).get("tier", "unit")
                seconds[str(tier)] += report.duration
                tests[str(tier)].add(report.nodeid)
    for tier in reversed(TIERS):
        if tier in tests:
            yield f"{tier}: {len(tests[tier])} tests in {seconds[tier]:.0f} s"
