"""Cron expressions: what is refused, with its place, and what is taken."""

from __future__ import annotations

import pytest

from workflows.language.check.cron import cron_complaint, restricts_both_days


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "*/5 0-23/2 1,15 JAN-jun mon",
        "0 3 29 2 *",
        "0 3 31,28 2 *",
        "0 3 31 2-3 *",
        "0 3 */30 2 *",
        "0 3 30/1 */2 *",
        "59 23 31 12 7",
        "0 3 * * 1-5",
        "@daily",
        "@Hourly",
        "@every 90m",
        "@every 1d/3h",
    ],
)
def test_cron_takes_what_temporal_takes(text: str) -> None:
    """Names, lists, ranges, steps and shorthands are fine."""
    assert cron_complaint(text) is None


@pytest.mark.parametrize(
    ("text", "marked", "message", "hint"),
    [
        ("60 * * * *", "60", "`60` is no minute", "0 to 59"),
        ("0 24 * * *", "24", "`24` is no hour", "0 to 23"),
        ("0 3 0 * *", "0", "`0` is no day of the month", "1 to 31"),
        ("0 3 * jann *", "jann", "`jann` is no month", "did you mean `jan`?"),
        ("0 3 * * monday", "monday", "`monday` is no day of the week", "did you mean `mon`?"),
        ("0 3 * * 8", "8", "`8` is no day of the week", "0 to 7 or sun to sat"),
        ("0 3 * * 1-", "1-", "`` is no day of the week", "0 to 7 or sun to sat"),
        ("*/0 * * * *", "*/0", "the step `0` of the minute is no whole number from 1 to 99", "*/15"),
        ("*/x * * * *", "*/x", "the step `x` of the minute is no whole number from 1 to 99", "*/15"),
        ("0 22-4 * * *", "22-4", "the range `22-4` of the hour ends before it begins", "write two ranges: `22-23,0-4`"),
        ("0 1,,2 * * *", "", "`` is no hour", "0 to 23"),
        (
            f"*/{'9' * 5000} * * * *",
            "*/9",
            f"the step `{'9' * 20}` of the minute is no whole number from 1 to 99",
            "*/15",
        ),
        ("0 3 30 2 *", "30", "this never runs: the month `2` has no day 30", "0 3 28 2 *"),
        ("0 3 31 feb,4-6/2 *", "31", "this never runs: the month `feb,4-6/2` has no day 31", "0 3 28 2 *"),
        ("@every", "@every", "`@every` needs one duration", "@every 90m"),
        ("@weakly", "@weakly", "`@weakly` is no cron shorthand", "did you mean `@weekly`?"),
    ],
)
def test_cron_complains_with_place_and_hint(text: str, marked: str, message: str, hint: str) -> None:
    """The complaint marks the part that is wrong and says what would be right."""
    found = cron_complaint(text)
    assert found is not None
    assert text[found.offset : found.offset + found.length].startswith(marked)
    assert (found.message, found.hint) == (message, hint)


@pytest.mark.parametrize("text", ["* * * *", "0 0 3 * * 1 2030", "", "   "])
def test_cron_wants_five_fields(text: str) -> None:
    """Seconds and years, which the server would take, are refused like any other number of fields."""
    found = cron_complaint(text)
    assert found is not None
    assert found.message.endswith(f"this one has {len(text.split())}")


def test_cron_refuses_a_time_zone_inside() -> None:
    """The language has a key of its own for it."""
    found = cron_complaint("CRON_TZ=Europe/Berlin 0 3 * * *")
    assert found is not None
    assert found.hint == "move it to `timezone:`"


def test_cron_knows_when_both_days_are_restricted() -> None:
    """Temporal wants both to fit, other crons either of them."""
    assert restricts_both_days("0 3 1 * 5")
    assert not restricts_both_days("0 3 1 * *")
    assert not restricts_both_days("@monthly")
