"""When a schedule starts runs, in words: `Monday to Friday at 03:00` for `0 3 * * 1-5`.

Temporal keeps no cron expression but the sets of minutes, hours and days that it read in one; the words are made of
these sets, so they say what the server does. What has no short name is spelt as numbers: never wrong, if long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import pairwise

from temporalio.client import ScheduleCalendarSpec, ScheduleIntervalSpec, ScheduleRange, ScheduleSpec

from cli.output import counted

_HOUR, _DAY, _WEEK, _MONTH = 60, 24, 7, 31
_MOST_TIMES = 4
_ROW = 3
_SUNDAY, _SATURDAY = 0, 6
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def in_words(spec: ScheduleSpec) -> str:
    """Return when a schedule starts runs, without its time zone."""
    parts = [*map(_interval, spec.intervals), *map(_calendar, spec.calendars)]
    jitter = f", up to {_length(spec.jitter)} later" if spec.jitter else ""
    return ("; ".join(parts) or "never") + jitter


def zone_of(spec: ScheduleSpec) -> str:
    """Return the name of the time zone that a schedule is read in."""
    return spec.time_zone_name or "UTC"


def _interval(interval: ScheduleIntervalSpec) -> str:
    offset = f", {_length(interval.offset)} after the full interval" if interval.offset else ""
    return f"every {_length(interval.every).removeprefix('1 ')}{offset}"


def _calendar(calendar: ScheduleCalendarSpec) -> str:
    times = _times(_numbers(calendar.minute), _numbers(calendar.hour))
    days = _days(_numbers(calendar.day_of_month), _numbers(calendar.month), _numbers(calendar.day_of_week))
    if times.startswith("every"):
        return f"{times}, {days}" if days else times
    return f"{days or 'every day'} at {times}"


def _times(minutes: Sequence[int], hours: Sequence[int]) -> str:
    if len(hours) == 1 and len(minutes) <= _MOST_TIMES:
        return _listed(_clock(hours[0], minute) for minute in minutes)
    if len(minutes) == 1:
        return _at_one_minute(minutes[0], hours)
    return _often(minutes, hours)


def _at_one_minute(minute: int, hours: Sequence[int]) -> str:
    step = _step(hours, _DAY)
    if len(hours) <= _MOST_TIMES and step != 1:
        return _listed(_clock(hour, minute) for hour in hours)
    if step is not None:
        often = "every hour" if step == 1 else f"every {step} hours"
        return often + (f" from {_clock(hours[0], minute)}" if step > 1 else f" at :{minute:02}")
    if _is_row(hours):
        return f"every hour from {_clock(hours[0], minute)} to {_clock(hours[-1], minute)}"
    return _listed(_clock(hour, minute) for hour in hours)


def _often(minutes: Sequence[int], hours: Sequence[int]) -> str:
    step = _step(minutes, _HOUR)
    often = "every minute" if step == 1 else f"every {step} minutes"
    if step is None:
        often = f"every hour at {_listed(f':{minute:02}' for minute in minutes)}"
    if len(hours) == 1 or (_is_row(hours) and len(hours) < _DAY):
        return f"{often} from {_clock(hours[0], minutes[0])} to {_clock(hours[-1], minutes[-1])}"
    begin = f" from :{minutes[0]:02} on" if step and minutes[0] else ""
    return often + begin + ("" if len(hours) == _DAY else f" of the hours {_listed(str(hour) for hour in hours)}")


def _days(days: Sequence[int], months: Sequence[int], weekdays: Sequence[int]) -> str:
    week = "" if len(weekdays) == _WEEK else _weekdays(weekdays)
    month = "" if len(months) == len(_MONTHS) else f"in {_spans([_MONTHS[each - 1] for each in months], months)}"
    if len(days) == _MONTH:
        return " ".join(part for part in (week, month) if part)
    noun = "day" if len(days) == 1 else "days"
    day = f"on {noun} {_spans([str(each) for each in days], days)} {month or 'of the month'}".replace(" in ", " of ")
    return f"{day} if it is {week}" if week else day


def _weekdays(weekdays: Sequence[int]) -> str:
    if set(weekdays) == {_SUNDAY, _SATURDAY}:
        return "Saturday and Sunday"
    # A week is written from Monday on.
    ordered = sorted(weekdays, key=lambda day: day or _WEEK)
    return _spans([_DAYS[day] for day in ordered], [day or _WEEK for day in ordered])


def _spans(words: Sequence[str], numbers: Sequence[int]) -> str:
    """Join words, three or more neighbours as `first to last`."""
    spans: list[list[int]] = []
    for at, number in enumerate(numbers):
        if spans and number == numbers[spans[-1][-1]] + 1:
            spans[-1].append(at)
        else:
            spans.append([at])
    return _listed(part for span in spans for part in _span([words[at] for at in span]))


def _span(words: Sequence[str]) -> Sequence[str]:
    return [f"{words[0]} to {words[-1]}"] if len(words) >= _ROW else words


def _step(numbers: Sequence[int], whole: int) -> int | None:
    """Return the distance of numbers that go on evenly from one hour, or day, to the next; else None."""
    step = whole // len(numbers)
    is_even = whole % step == 0 and list(numbers) == list(range(numbers[0], whole, step))
    return step if is_even and len(numbers) > 1 else None


def _is_row(numbers: Sequence[int]) -> bool:
    return len(numbers) >= _ROW and all(after == before + 1 for before, after in pairwise(numbers))


def _numbers(ranges: Sequence[ScheduleRange]) -> list[int]:
    return sorted(
        {each for part in ranges for each in range(part.start, max(part.end, part.start) + 1, part.step or 1)}
    )


def _clock(hour: int, minute: int) -> str:
    return f"{hour:02}:{minute:02}"


def _length(time: timedelta) -> str:
    """Return a length in the largest unit in which it is a whole number."""
    seconds = int(time.total_seconds())
    return next(counted(seconds // size, unit) for unit, size in _UNITS if seconds % size == 0)


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
