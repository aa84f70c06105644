"""Cron expressions as Temporal's schedules read them.

Checked here so that a typing error is found when the definition is validated and not by the server during a
deployment. The grammar is the server's: 5 fields, names of months and days, lists, ranges and steps, the `@daily`
family and `@every 90m`. What the server takes and authors regret is refused: seconds and years (6 or 7 fields), and
`TZ=` prefixes, for which the language has `timezone`.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field

_SHORTHANDS = ("@yearly", "@monthly", "@weekly", "@daily", "@hourly", "@every")
_MOST_DIGITS = 2
_EVERY = re.compile(r"@every\s+[1-9]\d*[smhd](?:/\d+[smhd])?", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True)
class CronComplaint:
    """What is wrong with a cron expression; `offset` and `length` in characters."""

    offset: int
    length: int
    message: str
    hint: str | None = None


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    names: dict[str, int] = field(default_factory=dict)


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, {name: at for at, name in enumerate(_MONTHS, 1)}),
    _Field("day of the week", 0, 7, {name: at for at, name in enumerate(_DAYS)}),
)


def cron_complaint(text: str) -> CronComplaint | None:
    """Return the first thing that is wrong with a cron expression, or None."""
    if text.lstrip().startswith("@"):
        return _shorthand_complaint(text)
    if "TZ=" in text:
        return CronComplaint(0, len(text), "a time zone stands inside the cron expression", "move it to `timezone:`")
    words = list(re.finditer(r"\S+", text))
    if len(words) != len(_FIELDS):
        expected = "5 fields: minute, hour, day of the month, month, day of the week"
        return CronComplaint(
            0, len(text), f"a cron expression has {expected}; this one has {len(words)}", "such as 0 3 * * 1-5"
        )
    complaints = (_field_complaint(word, kind) for word, kind in zip(words, _FIELDS, strict=True))
    return next((complaint for complaint in complaints if complaint is not None), None) or _never_complaint(words)


def restricts_both_days(text: str) -> bool:
    """Tell whether both kinds of day are restricted, which Temporal joins by *and* where other crons join by *or*."""
    words = text.split()
    return len(words) == len(_FIELDS) and words[2] != "*" and words[4] != "*"


def _shorthand_complaint(text: str) -> CronComplaint | None:
    word = text.split(maxsplit=1)[0].lower()
    if word == "@every":
        fits = _EVERY.fullmatch(text.strip())
        return None if fits else CronComplaint(0, len(text), "`@every` needs one duration", "@every 90m")
    if word in _SHORTHANDS and text.strip().lower() == word:
        return None
    near = difflib.get_close_matches(word, _SHORTHANDS, 1)
    hint = f"did you mean `{near[0]}`?" if near else f"one of {', '.join(_SHORTHANDS)}"
    return CronComplaint(0, len(text), f"`{text.strip()}` is no cron shorthand", hint)


def _field_complaint(word: re.Match[str], kind: _Field) -> CronComplaint | None:
    offset = word.start()
    for part in word.group().split(","):
        complaint = _part_complaint(part, offset, kind)
        if complaint is not None:
            return complaint
        offset += len(part) + 1
    return None


def _part_complaint(part: str, offset: int, kind: _Field) -> CronComplaint | None:
    span, slash, step = part.partition("/")
    if slash and not (step.isascii() and step.isdigit() and len(step) <= _MOST_DIGITS and int(step) > 0):
        message = f"the step `{step:.20}` of the {kind.name} is no whole number from 1 to 99"
        return CronComplaint(offset, max(len(part), 1), message, "*/15")
    if span == "*":
        return None
    low, dash, high = span.partition("-")
    for value in (low, high) if dash else (low,):
        if _number(value, kind) is None:
            return _value_complaint(value, part, offset, kind)
    if dash and (_number(low, kind) or 0) > (_number(high, kind) or 0):
        message = f"the range `{span}` of the {kind.name} ends before it begins"
        return CronComplaint(offset, len(part), message, f"write two ranges: `{low}-{kind.high},{kind.low}-{high}`")
    return None


def _never_complaint(words: list[re.Match[str]]) -> CronComplaint | None:
    """Complain of a day that none of the months has: such a schedule would never run."""
    day, month = words[2], words[3]
    first = min(_values(day.group(), _FIELDS[2]))
    if first <= max(_LENGTHS[number - 1] for number in _values(month.group(), _FIELDS[3])):
        return None
    message = f"this never runs: the month `{month.group()}` has no day {first}"
    return CronComplaint(day.start(), len(day.group()), message, "0 3 28 2 *")


def _values(text: str, kind: _Field) -> set[int]:
    """Return the numbers that a right field stands for."""
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        low, dash, high = (str(kind.low), "-", str(kind.high)) if span == "*" else span.partition("-")
        first = _number(low, kind) or kind.low
        last = (_number(high, kind) or kind.high) if dash else kind.high if slash else first
        found.update(range(first, last + 1, int(step or 1)))
    return found


def _number(value: str, kind: _Field) -> int | None:
    if value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
        return int(value) if kind.low <= int(value) <= kind.high else None
    return kind.names.get(value.lower())


def _value_complaint(value: str, part: str, offset: int, kind: _Field) -> CronComplaint:
    near = difflib.get_close_matches(value.lower(), kind.names, 1) or [
        name for name in kind.names if value.lower().startswith(name)
    ]
    names = f" or {next(iter(kind.names))} to {list(kind.names)[-1]}" if kind.names else ""
    hint = f"did you mean `{near[0]}`?" if near else f"{kind.low} to {kind.high}{names}"
    return CronComplaint(offset, max(len(part), 1), f"`{value}` is no {kind.name}", hint)
