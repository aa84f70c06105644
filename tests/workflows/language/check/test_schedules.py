"""The rule about schedules: what it finds, and what it lets pass."""

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "a value out of range",
        "- {id: charge, action: shop.pay}",
        head="""
        triggers:
          - {schedule: {cron: '0 25 * * 1-5'}}
        """,
        found=[
            "3:26 bad-cron: `25` is no hour | 0 to 23",
        ],
    ),
    Case(
        "too few fields",
        "- {id: charge, action: shop.pay}",
        head="""
        triggers:
          - {schedule: {cron: 0 3 * *}}
        """,
        found=[
            "3:23 bad-cron: a cron expression has 5 fields: minute, hour, day of the month, month, day of "
            "the week; this one has 4 | such as 0 3 * * 1-5",
        ],
    ),
    Case(
        "a shorthand",
        "- {id: charge, action: shop.pay}",
        head="""
        triggers:
          - {schedule: {cron: '@dayly'}}
        """,
        found=[
            "3:24 bad-cron: `@dayly` is no cron shorthand | did you mean `@daily`?",
        ],
    ),
    Case(
        "time zones",
        "- {id: charge, action: shop.pay}",
        head="""
        triggers:
          - {schedule: {cron: '@daily', timezone: Europe/Berln}}
          - {schedule: {cron: '@daily', timezone: berlin}}
          - {schedule: {cron: '@daily', timezone: Middle-earth}}
        """,
        found=[
            "3:43 unknown-timezone: there is no time zone 'Europe/Berln' | did you mean 'Europe/Berlin'?",
            "4:43 unknown-timezone: there is no time zone 'berlin' | did you mean 'Europe/Berlin'?",
            "5:43 unknown-timezone: there is no time zone 'Middle-earth' | a name of the IANA database, "
            "such as Europe/Berlin",
        ],
    ),
    Case(
        "an overlap policy",
        "- {id: charge, action: shop.pay}",
        head="""
        triggers:
          - {schedule: {cron: '@daily', overlap: skp}}
        """,
        found=[
            "3:42 unknown-overlap: there is no overlap policy 'skp' | did you mean 'skip'?",
        ],
    ),
    Case(
        "both kinds of day",
        "- {id: charge, action: shop.pay}",
        head="""
        triggers:
          - {schedule: {cron: 0 3 1 * mon}}
        """,
        found=[
            "3:23 warning cron-both-days: this runs only on days that fit both the day of the month and the "
            "day of the week | for either of them write two schedules",
        ],
    ),
]

RIGHT = [
    Case(
        "what Temporal takes",
        "- {id: charge, action: shop.pay}",
        head="""
        triggers:
          - {schedule: {cron: '*/5 8-18/2 * JAN,jul mon-fri', timezone: Europe/Berlin, overlap: buffer_one}}
          - {schedule: {cron: '@every 90m/5m', timezone: UTC}}
          - {schedule: {cron: 0 3 * * 7}}
        """,
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_schedules_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_schedules_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
