"""Reading one table by its keys: spelling, types, ranges, and what is missing.

Every parser asks a `Fields` for what it needs; a wrong value is noted and read as if it had not been given, so that
one pass finds every mistake. A required value that is missing gets a stand-in: the definition is refused anyway. A
key that is nearly right is read under its right name after it was noted, for the sake of what is found later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, TypeVar

from workflows.language.diagnostics import Diagnostics, did_you_mean, suggestion
from workflows.language.durations import parse_duration
from workflows.language.nodes import Condition, Located, Seconds, Text
from workflows.language.parse.keys import STEPS
from workflows.language.tree import Entry, Items, Position, Scalar, Table, Tree

Choice = TypeVar("Choice", bound=str)
N = TypeVar("N", int, float)

_CAPITAL = re.compile(r"(?<=[a-z0-9])[A-Z]")
_WRAPPED = re.compile(r"\s*\$\{(.*)\}\s*", re.DOTALL)
_ID = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_][A-Za-z0-9]+)*")
_LONGEST_ID = 100  # Temporal takes 1,000 for a step's path, which joins the ids of all blocks around the step
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def snake_case(key: str) -> str:
    """Return the snake case spelling of a key: `onError` becomes `on_error`."""
    return _CAPITAL.sub(lambda match: f"_{match.group().lower()}", key)


class Fields:
    """One table and what is known of it; `what` names it in messages, such as `an action step`."""

    def __init__(self, table: Table, what: str, names: tuple[str, ...], diagnostics: Diagnostics) -> None:
        """Look through the keys of `table`, which are to be among `names`."""
        self.table, self.what, self.names, self.diagnostics = table, what, names, diagnostics
        self.entries: dict[str, Entry] = {}
        unknown = [entry for entry in table.entries if not self._take(entry, snake_case(entry.key))]
        for entry in unknown:
            self._unknown(entry)

    @property
    def at(self) -> Position:
        """The table's place."""
        return self.table.at

    def has(self, name: str) -> bool:
        """Tell whether the key was given."""
        return name in self.entries

    def place(self, name: str) -> Position:
        """Return the key's place, or the table's where it was not given."""
        return self.entries[name].at if name in self.entries else self.at

    def need(self, name: str, hint: str = "") -> None:
        """Note that a key is missing, if it is."""
        if not self.has(name):
            self.missing(f"{name!r}", hint)

    def missing(self, keys: str, hint: str = "") -> None:
        """Note that a key is missing; `keys` says which."""
        self.error(self.at, "missing-key", f"{self.what} needs {keys}", hint)

    def error(self, at: Position, code: str, message: str, hint: str = "") -> None:
        """Note an error."""
        self.diagnostics.error(at, code, message, hint)

    def tree(self, name: str) -> Tree | None:
        """Return any value."""
        entry = self.entries.get(name)
        return entry.value if entry else None

    def table_of(self, name: str) -> Table | None:
        """Return a mapping."""
        value = self.tree(name)
        if value is None or isinstance(value, Table):
            return value
        self._wrong(name, value, "a mapping")
        return None

    def schema(self, name: str) -> Tree | None:
        """Return a JSON Schema: a mapping, or true or false."""
        value = self.tree(name)
        if value is None or isinstance(value, Table) or (isinstance(value, Scalar) and isinstance(value.value, bool)):
            return value
        self._wrong(name, value, "a JSON Schema")
        return None

    def items_of(self, name: str) -> tuple[Tree, ...]:
        """Return the items of a list; none where it was not given."""
        value = self.tree(name)
        if isinstance(value, Items):
            return value.items
        if value is not None:
            self._wrong(name, value, "a list")
        return ()

    def text(self, name: str) -> Text | None:
        """Return a text that is not empty."""
        value = self.tree(name)
        return None if value is None else self.as_text(name, value)

    def needed_text(self, name: str) -> Text:
        """Return a text, or an empty one after noting that it is missing."""
        self.need(name)
        return self.text(name) or Located("", self.place(name))

    def as_text(self, name: str, value: Tree) -> Text | None:
        """Return `value`, which belongs to the key `name`, as a text."""
        if isinstance(value, Scalar) and isinstance(value.value, str) and value.value.strip():
            return Located(value.value, value.at)
        self._wrong(name, value, "a text")
        return None

    def texts(self, name: str) -> tuple[Text, ...]:
        """Return a list of texts; a single text is a list of one."""
        value = self.tree(name)
        items = value.items if isinstance(value, Items) else (() if value is None else (value,))
        read = (self.as_text(name, item) for item in items)
        return tuple(text for text in read if text is not None)

    def identity(self) -> Text:
        """Return the `id`; it is part of step paths, workflow ids and type names, so its letters are few."""
        text = self.needed_text("id")
        if text.value and not _ID.fullmatch(text.value):
            spelt = "-".join(re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text.value).lower()))
            hint = f"write {spelt!r}" if _ID.fullmatch(spelt) else "such as create-agent"
            message = f"{text.value!r:.80} is no id: letters and digits with hyphens between them, a letter first"
            self.error(text.at, "bad-id", message, hint)
        elif len(text.value) > _LONGEST_ID:
            message = f"an id has at most {_LONGEST_ID} characters, this one has {len(text.value):,}"
            self.error(text.at, "bad-id", message, "the long text may stand in `name`")
        return text

    def variable(self, name: str) -> Text | None:
        """Return a name that expressions can use."""
        text = self.text(name)
        if text is None or _NAME.fullmatch(text.value):
            return text
        message = f"{text.value!r:.80} is no name that an expression can use"
        self.error(text.at, "bad-name", message, "letters, digits and underscores, a letter first")
        return None

    def choice(self, name: str, choices: tuple[Choice, ...]) -> Located[Choice] | None:
        """Return one of some words."""
        text = self.text(name)
        return None if text is None else self._chosen(name, text, choices)

    def choices(self, name: str, choices: tuple[Choice, ...]) -> tuple[Located[Choice], ...]:
        """Return a list of some words; a single one is a list of one."""
        read = (self._chosen(name, text, choices) for text in self.texts(name))
        return tuple(word for word in read if word is not None)

    def seconds(self, name: str) -> Seconds | None:
        """Return a duration that is longer than nothing."""
        return self._duration(name, zero=False)

    def seconds_or_zero(self, name: str) -> Seconds | None:
        """Return a duration, which may be nothing."""
        return self._duration(name, zero=True)

    def integer(self, name: str, least: int, most: int) -> Located[int] | None:
        """Return an integer between two bounds, both included."""
        value = self.tree(name)
        if value is None:
            return None
        number = value.value if isinstance(value, Scalar) else None
        if isinstance(number, int) and not isinstance(number, bool):
            return self._bounded(name, Located(number, value.at), least, most)
        self._wrong(name, value, "an integer")
        return None

    def number(self, name: str, least: float, most: float) -> Located[float] | None:
        """Return a number between two bounds, both included."""
        value = self.tree(name)
        if value is None:
            return None
        number = value.value if isinstance(value, Scalar) else None
        if isinstance(number, int | float) and not isinstance(number, bool):
            return self._bounded(name, Located(float(number), value.at), least, most)
        self._wrong(name, value, "a number")
        return None

    def flag(self, name: str) -> Located[bool] | None:
        """Return true or false."""
        value = self.tree(name)
        if value is None:
            return None
        if isinstance(value, Scalar) and isinstance(value.value, bool):
            return Located(value.value, value.at)
        self._wrong(name, value, "true or false")
        return None

    def condition(self, name: str) -> Condition | None:
        """Return bare CEL; true, false and numbers are CEL as well."""
        value = self.tree(name)
        if value is None:
            return None
        if not isinstance(value, Scalar) or value.value is None or value.value == "":
            self._wrong(name, value, "an expression")
            return None
        return self._bare(name, value)

    def needed_condition(self, name: str) -> Condition:
        """Return bare CEL, or `true` after noting that it is missing."""
        self.need(name)
        return self.condition(name) or Condition("true", Scalar("true", self.place(name)))

    def _bare(self, name: str, value: Scalar) -> Condition:
        text = str(value.value).lower() if isinstance(value.value, bool) else str(value.value)
        wrapped = _WRAPPED.fullmatch(text)
        if wrapped:
            hint = f"leave out the ${{ }}: {wrapped[1].strip():.80}"
            self.error(value.at, "wrapped-expression", f"{name!r} is an expression by itself", hint)
            text = wrapped[1]
        return Condition(text.rstrip(), value)

    def _chosen(self, name: str, text: Text, choices: tuple[Choice, ...]) -> Located[Choice] | None:
        for known in choices:
            if known == text.value:
                return Located(known, text.at)
        self.error(text.at, "bad-value", f"{name!r} cannot be {text.value!r:.80}", did_you_mean(text.value, choices))
        return None

    def _duration(self, name: str, *, zero: bool) -> Seconds | None:
        value = self.tree(name)
        if value is None:
            return None
        try:
            seconds = parse_duration(value.value if isinstance(value, Scalar) else "")
        except ValueError as error:
            self.error(value.at, "bad-duration", f"{name!r}: {error}")
            return None
        if seconds == 0 and not zero:
            self.error(value.at, "bad-duration", f"{name!r} must be longer than nothing")
        return Located(seconds, value.at)

    def _bounded(self, name: str, number: Located[N], least: float, most: float) -> Located[N] | None:
        if least <= number.value <= most:
            return number
        message = f"{name!r} lies between {least:,} and {most:,}, not at {number.value:,}"
        self.error(number.at, "out-of-range", message)
        return None

    def _wrong(self, name: str, value: Tree, expected: str) -> None:
        hint = ""
        if expected == "a text" and isinstance(value, Scalar) and value.value not in (None, ""):
            hint = "put it into quotation marks"
        self.error(value.at, "wrong-type", f"{name!r} is to be {expected}, not {kind_of(value)}", hint)

    def _take(self, entry: Entry, name: str) -> bool:
        if name not in self.names:
            return False
        if name in self.entries:
            first = self.entries[name]
            message = f"{entry.key!r} and {first.key!r} are the same key"
            self.error(entry.at, "duplicate-key", message, f"the first is in line {first.at.line}")
        else:
            self.entries[name] = entry
        return True

    def _unknown(self, entry: Entry) -> None:
        if self.diagnostics.is_full:
            return
        name = snake_case(entry.key)
        best = suggestion(name, self.names)
        message = f"{self.what} has no key {entry.key!r:.80}"
        self.error(entry.at, "unknown-key", message, self._hint(name, best))
        if best is not None and best not in self.entries:
            self.entries[best] = entry

    def _hint(self, name: str, best: str | None) -> str:
        owners = [kind for kind, names in STEPS.items() if name in names]
        if best is None and owners:
            return f"it belongs to steps of type {', '.join(owners)}"
        return did_you_mean(name, self.names)


Kind = Literal["nothing", "a text", "true or false", "a number", "a list", "a mapping"]


def kind_of(value: Tree) -> Kind:
    """Return what a value is, in words."""
    match value:
        case Table():
            return "a mapping"
        case Items():
            return "a list"
        case Scalar(value=None) | Scalar(value=""):
            return "nothing"
        case Scalar(value=bool()):
            return "true or false"
        case Scalar(value=str()):
            return "a text"
    return "a number"


def tables(items: Iterable[Tree], what: str, names: tuple[str, ...], diagnostics: Diagnostics) -> list[Fields]:
    """Return the mappings of a list, each ready to be read; notes what is none."""
    found = []
    for item in items:
        if isinstance(item, Table):
            found.append(Fields(item, what, names, diagnostics))
        else:
            diagnostics.error(item.at, "wrong-type", f"{what} is a mapping, not {kind_of(item)}")
    return found
