"""The tests' own pytest plugin: loaded first in every process of a run, whatever part of the tests is asked for.

- `servers`: the servers that all tests of a run share
- `fixtures`: what tests ask for by name
- `tiers`: unit, integration, fault; and who may not run beside whom
- `scheduling`: which worker runs which tests
- `time_limits`: a test that hangs fails alone
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

pytest_plugins = (
    "tests.support.servers",
    "tests.support.fixtures",
    "tests.support.tiers",
    "tests.support.scheduling",
    "tests.support.time_limits",
)

# How long an example takes, and how long it takes to draw, is the machine's affair.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")
