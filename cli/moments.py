"""Moments, days and lengths of time as people give them on the command line.

A moment is ISO 8601 with its zone, a date (its beginning in UTC, as the log's days are), `now`, `today`,
`yesterday`, or how long ago it was, such as `2h`. A moment without a zone is refused: whose clock was meant?
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta

import click

from workflows.language.durations import parse_duration


def read_moment(text: str, now: datetime) -> datetime:
    """Return the moment, in UTC, that a text means at `now`.

    Raises:
        ValueError: It means none; the message is for the person who wrote it.
    """
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    named = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if text in named:
        return named[text]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _ago(text, now)
    if _is_date(text):
        return moment.replace(tzinfo=UTC)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone; write {text}Z for UTC, or its offset, such as {text}+02:00")
    return moment.astimezone(UTC)


def _ago(text: str, now: datetime) -> datetime:
    if not text.isdecimal():  # a bare number would be milliseconds, which nobody means here
        with suppress(ValueError, OverflowError):
            return now - timedelta(seconds=parse_duration(text))
    raise ValueError(f"{text!r} is no moment: write 2030-01-31T08:00:00Z, 2030-01-31, yesterday, or 2h")


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


class MomentParameter(click.ParamType[datetime]):
    """An option whose value is a moment."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read the moment."""
        if isinstance(value, datetime):
            return value
        try:
            return read_moment(str(value), datetime.now(UTC))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class DayParameter(click.ParamType[date]):
    """An argument that is a day of the log, in UTC."""

    name = "DAY"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read the day."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no day such as 2030-01-31.", param, ctx)


class LengthParameter(click.ParamType[timedelta]):
    """An option whose value is a length of time."""

    name = "DURATION"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read the length."""
        if isinstance(value, timedelta):
            return value
        try:
            return timedelta(seconds=parse_duration(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


MOMENT = MomentParameter()
DAY = DayParameter()
LENGTH = LengthParameter()
