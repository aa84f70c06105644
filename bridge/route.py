"""Route an event: which triggers want it, and what they ask for. Pure.

The triggers that count are those of each definition's current version. One trigger that cannot be evaluated does
not keep the others from having the event: it becomes a refusal beside their dispatches, and the event is
dead-lettered with its reason after they were carried out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.dispatches import (
    Asker,
    CancelDispatch,
    CorrelateDispatch,
    Dispatch,
    IfAbsent,
    SignalDispatch,
    StartDispatch,
    request_id,
)
from contracts.envelope import Event
from contracts.json import Json
from contracts.names import workflow_id
from contracts.topics import topic_matches
from workflows.language.correlation import correlation_entries
from workflows.language.expressions.model import ExpressionFailure
from workflows.language.expressions.template import Template
from workflows.language.library import Library
from workflows.language.triggers import (
    Cancel,
    Definition,
    EventTrigger,
    Hold,
    IfMissing,
    ScheduleTrigger,
    Signal,
    Start,
)

_MAX_ID_BYTES = 1000
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Routing:
    """What the triggers ask for, in the order of definitions and triggers, and why some cannot be served."""

    dispatches: tuple[Dispatch, ...]
    refusals: tuple[str, ...] = ()

    @property
    def is_unrouted(self) -> bool:
        """Whether no trigger wants the event."""
        return not self.dispatches and not self.refusals

    @property
    def workflow_ids(self) -> tuple[str, ...]:
        """The runs that are named, each once; those that an event is correlated with are not known yet."""
        named = (dispatch for dispatch in self.dispatches if not isinstance(dispatch, CorrelateDispatch))
        return tuple(dict.fromkeys(dispatch.workflow_id for dispatch in named))

    @property
    def targets(self) -> tuple[str, ...]:
        """What must be handled one event at a time: the runs that are named and the correlations, each once."""
        return tuple(dict.fromkeys(dispatch.target for dispatch in self.dispatches))

    @property
    def first_key(self) -> str | None:
        """By what the event is kept in order with others: the first run that it names by a key, else the correlation.

        None where every run that it starts is its own.
        """
        keyed = [one for one in self.dispatches if not isinstance(one, StartDispatch) or one.key is not None]
        named = (one for one in keyed if not isinstance(one, CorrelateDispatch))
        first = next(named, None) or next(iter(keyed), None)
        return first.target if first is not None else None


def route(event: Event, library: Library, salt: str = "") -> Routing:
    """Return what `event` asks for.

    Args:
        event: The event.
        library: What is loaded.
        salt: Makes the requests other ones than those of the event's earlier deliveries: the id of a replay that is
            to do everything again. Left out, a repeated event makes the same requests.
    """
    dispatches: list[Dispatch] = []
    refusals: list[str] = []
    for wanted in _candidates(event, library, salt):
        try:
            if wanted.applies():
                dispatches.append(wanted.dispatch())
        except (ExpressionFailure, _UnfitError) as failure:
            refusals.append(f"{wanted}: {failure}")
    return Routing(tuple(dispatches), tuple(refusals))


def _candidates(event: Event, library: Library, salt: str) -> Iterator[_Candidate]:
    for definition in library.current():
        for index, trigger in enumerate(definition.triggers):
            if isinstance(trigger, EventTrigger) and topic_matches(trigger.event, event.type):
                yield _Candidate(event, library, definition, index, trigger, salt)


class _UnfitError(Exception):
    """A template gave a value that cannot be what it is meant for."""


class _EventBindings:
    """Expressions of a trigger see `event`; those of the definition's key see `input`."""

    def __init__(self, event: Event, **more: Json) -> None:
        self._event, self._roots = event, more

    def root(self, name: str) -> object:
        return self._event.as_binding() if name == "event" else self._roots[name]

    def step(self, name: str) -> object:
        raise KeyError(name)

    def uuid(self) -> str:
        return self._event.identity


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A trigger whose topic pattern fits the event."""

    event: Event
    library: Library
    definition: Definition
    index: int
    trigger: EventTrigger
    salt: str

    def __str__(self) -> str:
        place = self.definition.file or f"{self.definition.id} {self.definition.version}"
        return f"{place}, trigger {self.index + 1} (on {self.trigger.event})"

    def applies(self) -> bool:
        if self.trigger.when is None:
            return True
        holds = self.trigger.when.evaluate(_EventBindings(self.event))
        if not isinstance(holds, bool):
            raise _UnfitError("`when` is neither true nor false.")
        return holds

    def dispatch(self) -> Dispatch:
        match self.trigger.does:
            case Start() as start:
                return self._start(start, self._start_key(start))
            case Signal() as signal:
                return self._signal(signal)
            case Cancel() as cancel:
                return self._cancel(cancel)

    def _start(self, start: Start, key: str | None) -> StartDispatch:
        named, given = self.event.identity if key is None else key, self._value(start.input)
        return StartDispatch(
            definition=self.library.choose(self.definition.id, named, given) or self.definition,
            workflow_id=self._workflow_id(named),
            key=key,
            input=given,
            if_running=start.if_running,
            request_id=self._request_id("start"),
            held_for=any(map(_holds, self.definition.triggers)),
        )

    def _signal(self, signal: Signal) -> SignalDispatch | CorrelateDispatch:
        if signal.key is None:
            return self._correlated(signal)
        key = self._key(signal.key)
        return SignalDispatch(
            workflow_id=self._workflow_id(key),
            name=signal.name,
            data=self._value(signal.data),
            if_missing=_if_absent(signal.if_missing),
            request_id=self._request_id("signal"),
            asker=self._asker,
            start=self._start(self._start_trigger(), key) if signal.if_missing == "start" else None,
        )

    def _correlated(self, signal: Signal) -> CorrelateDispatch:
        return CorrelateDispatch(
            entries=self._entries(signal.correlate),
            name=signal.name,
            data=self._value(signal.data),
            if_missing=_if_absent(signal.if_missing),
            request_id=self._request_id("signal"),
            asker=self._asker,
        )

    def _cancel(self, cancel: Cancel) -> CancelDispatch:
        return CancelDispatch(
            workflow_id=self._workflow_id(self._key(cancel.key)),
            reason=f"Event {self.event.type} ({self.event.identity})",
            if_missing=_if_absent(cancel.if_missing),
            request_id=self._request_id("cancel"),
            asker=self._asker,
        )

    @property
    def _asker(self) -> Asker:
        return Asker(self.definition.id, self.index)

    def _entries(self, correlate: Template | None) -> tuple[str, ...]:
        values = self._value(correlate)
        if not isinstance(values, dict) or not values:
            raise _UnfitError("`correlate` must give a map of field to value.")
        for field, value in values.items():
            if value is None or value == "" or isinstance(value, dict | list):
                raise _UnfitError(f"`correlate.{field}` must give a text that is not empty, a number, true or false.")
        return tuple(correlation_entries(values))

    def _start_trigger(self) -> Start:
        """The definition's own start trigger says what the input is; without one it is the event's data."""
        triggers = (trigger.does for trigger in self.definition.triggers if isinstance(trigger, EventTrigger))
        return next((does for does in triggers if isinstance(does, Start)), Start())

    def _start_key(self, start: Start) -> str | None:
        if start.key is not None:
            return self._key(start.key)
        if self.definition.plan.key is None:
            return None
        return self._key(self.definition.plan.key, input=self._value(start.input))

    def _key(self, template: Template, **roots: Json) -> str:
        value = template.evaluate(_EventBindings(self.event, **roots))
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise _UnfitError("`key` must give a text that is not empty, or a whole number.")
        return str(value)

    def _value(self, template: Template | None) -> Json:
        return self.event.data if template is None else template.evaluate(_EventBindings(self.event))

    def _workflow_id(self, key: str) -> str:
        identity = workflow_id(self.definition.id, key)
        if _NO_TEXT.search(identity):
            raise _UnfitError("`key` holds a character that no id can have (NUL, or half of a pair).")
        if len(identity.encode()) > _MAX_ID_BYTES:
            raise _UnfitError(f"`key` is too long: a workflow id has at most {_MAX_ID_BYTES} bytes.")
        return identity

    def _request_id(self, purpose: str) -> str:
        return request_id(self.event.identity, self.definition.id, self.index, purpose, self.salt)


def _holds(trigger: EventTrigger | ScheduleTrigger) -> bool:
    does = trigger.does if isinstance(trigger, EventTrigger) else Start()
    return not isinstance(does, Start) and does.key is not None and isinstance(does.if_missing, Hold)


def _if_absent(choice: IfMissing) -> IfAbsent:
    return "dead-letter" if choice == "start" else choice
