"""`triggers`: what starts, signals or cancels a run, and schedules.

What excludes each other is refused here, while both are in view.
"""

from __future__ import annotations

from workflows.language.nodes import Cancel, EventTrigger, Located, ScheduleTrigger, Seconds, Signal, Start, Text
from workflows.language.parse.fields import Fields, tables
from workflows.language.parse.keys import CANCEL, HOLD, SCHEDULE, SIGNAL, START, TRIGGER
from workflows.language.tree import Scalar, Table
from workflows.language.triggers import HOLD_DEFAULT, HOLD_LONGEST

MOST_FIELDS = 10
_DOINGS = ("start", "signal", "cancel")


def triggers_of(fields: Fields) -> tuple[EventTrigger | ScheduleTrigger, ...]:
    """Read `triggers`."""
    rows = tables(fields.items_of("triggers"), "a trigger", TRIGGER, fields.diagnostics)
    read = (_trigger(row) for row in rows)
    return tuple(trigger for trigger in read if trigger is not None)


def _trigger(row: Fields) -> EventTrigger | ScheduleTrigger | None:
    if row.has("schedule"):
        return _schedule(row)
    if not row.has("event"):
        row.missing("'event' or 'schedule'")
        return None
    _refuse(row, ("input",), "write it inside 'start'")
    does = _does(row)
    event = row.text("event")
    return EventTrigger(row.at, event, does, row.condition("when")) if does and event else None


def _schedule(row: Fields) -> ScheduleTrigger | None:
    _refuse(row, ("event", "when", "if_missing", "correlate", *_DOINGS), "a schedule only starts runs")
    table = row.table_of("schedule")
    if table is None:
        return None
    keys = Fields(table, "schedule", SCHEDULE, row.diagnostics)
    return ScheduleTrigger(
        at=row.at,
        cron=keys.needed_text("cron"),
        timezone=keys.text("timezone"),
        overlap=keys.text("overlap"),
        catch_up=keys.seconds("catch_up"),
        jitter=keys.seconds_or_zero("jitter"),
        paused=keys.flag("paused"),
        input=row.tree("input"),
    )


def _does(row: Fields) -> Start | Signal | Cancel | None:
    given = [name for name in _DOINGS if row.has(name)]
    if not given:
        row.missing("'start', 'signal' or 'cancel'")
        return None
    for name in given[1:]:
        row.error(row.place(name), "conflicting-keys", f"{given[0]!r} and {name!r} exclude each other", "write two")
    table = row.table_of(given[0])
    if table is None:
        return None
    match given[0]:
        case "start":
            return _start(row, table)
        case "signal":
            return _signal(row, table)
    return _cancel(row, table)


def _start(row: Fields, table: Table) -> Start:
    _refuse(row, ("if_missing",), "it belongs to 'signal' and 'cancel'")
    _refuse(row, ("correlate",), "it belongs to 'signal'")
    keys = Fields(table, "start", START, row.diagnostics)
    if_running = keys.choice("if_running", ("ignore", "signal", "terminate", "fail"))
    word: Text | None = Located(str(if_running.value), if_running.at) if if_running else None
    return Start(table.at, keys.tree("key"), keys.tree("input"), word)


def _signal(row: Fields, table: Table) -> Signal:
    keys = Fields(table, "signal", SIGNAL, row.diagnostics)
    correlate = _correlate(row, keys)
    missing = _if_missing(row)
    if not (keys.has("correlate") or row.has("correlate")):
        keys.need("key", "which run is meant, or 'correlate': what it waits for")
    elif missing is not None and missing.value == "start":
        row.error(missing.at, "bad-value", "without a key no run can be started", "take hold, drop or dead-letter")
    return Signal(table.at, keys.tree("key"), keys.needed_text("name"), keys.tree("data"), missing, correlate)


def _correlate(row: Fields, keys: Fields) -> Table | None:
    """Read `correlate`, which stands inside `signal` or beside it."""
    owner = keys if keys.has("correlate") else row
    at = owner.place("correlate")
    if owner is keys and row.has("correlate"):
        row.error(row.place("correlate"), "conflicting-keys", "'correlate' stands here twice", "write it once")
    if owner.has("correlate") and keys.has("key"):
        row.error(at, "conflicting-keys", "'key' and 'correlate' exclude each other", "a run is named by one of them")
    table = owner.table_of("correlate")
    if table is not None and not 1 <= len(table.entries) <= MOST_FIELDS:
        owner.error(table.at, "out-of-range", f"'correlate' has 1 to {MOST_FIELDS} fields, not {len(table.entries)}")
    return table


def _cancel(row: Fields, table: Table) -> Cancel:
    _refuse(row, ("correlate",), "it belongs to 'signal'")
    keys = Fields(table, "cancel", CANCEL, row.diagnostics)
    missing = _if_missing(row)
    if missing is not None and missing.value == "start":
        row.error(missing.at, "bad-value", "a cancellation cannot start a run", "take hold, drop or dead-letter")
    keys.need("key", "which run is meant")
    return Cancel(table.at, keys.tree("key") or Scalar("", keys.at), missing)


def _if_missing(row: Fields) -> Text | Seconds | None:
    value = row.tree("if_missing")
    if isinstance(value, Table):
        return _hold(Fields(value, "if_missing", HOLD, row.diagnostics))
    chosen = row.choice("if_missing", ("hold", "drop", "dead-letter", "start"))
    if chosen is not None and chosen.value == "hold":
        return Located(HOLD_DEFAULT.total_seconds(), chosen.at)
    return Located(str(chosen.value), chosen.at) if chosen else None


def _hold(keys: Fields) -> Seconds | None:
    keys.need("hold", "for how long, such as 10m")
    time = keys.seconds("hold")
    if time is not None and time.value > HOLD_LONGEST.total_seconds():
        keys.error(time.at, "bad-duration", f"'hold' is at most {HOLD_LONGEST.days} days")
        return None
    return time


def _refuse(row: Fields, names: tuple[str, ...], hint: str) -> None:
    for name in names:
        if row.has(name):
            row.error(row.place(name), "conflicting-keys", f"{name!r} does not belong here", hint)
