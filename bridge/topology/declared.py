"""What the operator's file adds to the broker: its exchanges, queues and bindings.

The keys have plain names and become AMQP's arguments here, in one place. What the broker would take silently and do
otherwise than an operator thinks is refused: dead letters of a quorum queue are kept at least once only if the queue
refuses rather than drops what does not fit. Our own names cannot be declared, but the file's exchanges may feed
`events`, and its queues may be fed by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from bridge.topology.model import Argument, Binding, Declarations, Exchange, Kind, Queue
from bridge.topology.names import EVENTS, EXCHANGE_DEAD_LETTERS, OUR_PREFIX, UNROUTED
from workflows.language.diagnostics import Diagnostics, did_you_mean
from workflows.language.parse.fields import Fields, kind_of, tables
from workflows.language.tree import Entry, Scalar, Table, Tree

EXCHANGE_TYPES: Final = ("topic", "direct", "fanout", "headers")
QUEUE_TYPES: Final = ("quorum", "classic")
OVERFLOWS: Final = ("drop-head", "reject-publish")
MATCHES: Final = ("all", "any")
EXCHANGE_KEYS: Final = ("type", "alternate", "durable", "arguments")
QUEUE_KEYS: Final = (
    "type",
    "ttl",
    "expires",
    "max_length",
    "max_bytes",
    "overflow",
    "dead_letter",
    "single_active_consumer",
    "durable",
    "arguments",
)
DEAD_LETTER_KEYS: Final = ("exchange", "key")
BINDING_KEYS: Final = ("from", "to", "key", "headers", "match")
_SHARED = (EVENTS, EXCHANGE_DEAD_LETTERS)
_RESERVED = (OUR_PREFIX, "amq.", *(f"{name}." for name in _SHARED))
_MAX_NAME_BYTES = 255
_MANY = 2**53
T = TypeVar("T")


def declared(fields: Fields) -> Declarations:
    """Read `exchanges`, `queues` and `bindings` of a topology; notes what is wrong."""
    known = _Known(_names(fields, "exchanges"), _names(fields, "queues"))
    exchanges = _each(fields, "exchanges", EXCHANGE_KEYS, known.exchange)
    queues = _each(fields, "queues", QUEUE_KEYS, known.queue)
    rows = tables(fields.items_of("bindings"), "a binding", BINDING_KEYS, fields.diagnostics)
    bindings = (known.binding(row) for row in rows)
    return Declarations(exchanges, queues, tuple(each for each in bindings if each is not None))


def _names(fields: Fields, key: str) -> frozenset[str]:
    table = fields.tree(key)
    return frozenset(entry.key for entry in table.entries) if isinstance(table, Table) else frozenset()


def _each(fields: Fields, key: str, names: tuple[str, ...], read: Callable[[str, Fields], T]) -> tuple[T, ...]:
    table = fields.table_of(key)
    entries = table.entries if table else ()
    return tuple(
        read(entry.key, Fields(row, f"{key[:-1]} {entry.key!r:.80}", names, fields.diagnostics))
        for entry, row in _rows(entries, fields.diagnostics)
        if _may_be_declared(entry, fields.diagnostics)
    )


def _rows(entries: tuple[Entry, ...], diagnostics: Diagnostics) -> Iterator[tuple[Entry, Table]]:
    for entry in entries:
        value = entry.value
        if isinstance(value, Scalar) and value.value in (None, ""):
            value = Table((), value.at)
        if isinstance(value, Table):
            yield entry, value
        else:
            diagnostics.error(value.at, "wrong-type", f"{entry.key!r:.80} is to be a mapping, not {kind_of(value)}")


def _may_be_declared(entry: Entry, diagnostics: Diagnostics) -> bool:
    name = entry.key
    if name in _SHARED or name.startswith(_RESERVED):
        message = f"{name!r:.80} is a name of Sagawright's or RabbitMQ's own"
        diagnostics.error(entry.at, "reserved-name", message, "take another; bindings from and to `events` are fine")
        return False
    if not name.strip() or len(name.encode()) > _MAX_NAME_BYTES:
        diagnostics.error(entry.at, "bad-name", f"a name has 1 to {_MAX_NAME_BYTES} bytes")
        return False
    return True


def _limits(fields: Fields) -> dict[str, Argument]:
    found: dict[str, Argument] = {}
    for key, argument in (("ttl", "x-message-ttl"), ("expires", "x-expires")):
        if seconds := fields.seconds(key):
            found[argument] = int(seconds.value * 1000)
    for key, argument in (("max_length", "x-max-length"), ("max_bytes", "x-max-length-bytes")):
        if number := fields.integer(key, 1, _MANY):
            found[argument] = number.value
    if overflow := fields.choice("overflow", OVERFLOWS):
        found["x-overflow"] = overflow.value
    if single := fields.flag("single_active_consumer"):
        found["x-single-active-consumer"] = single.value
    return found


def _kept_safe(fields: Fields) -> dict[str, Argument]:
    overflow = fields.choice("overflow", OVERFLOWS)
    if overflow and overflow.value != "reject-publish":
        message = "with `overflow: drop-head` RabbitMQ keeps dead letters at most once: they can get lost"
        fields.error(overflow.at, "bad-value", message, "write `overflow: reject-publish`, or leave it out")
    return {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}


def _durable(fields: Fields) -> bool:
    durable = fields.flag("durable")
    return durable is None or durable.value


def _arguments(fields: Fields) -> dict[str, Argument]:
    table = fields.table_of("arguments")
    read = {entry.key: _argument(entry.value, fields) for entry in (table.entries if table else ())}
    return {name: value for name, value in read.items() if value is not None}


def _argument(tree: Tree, fields: Fields) -> Argument:
    value = tree.value if isinstance(tree, Scalar) else None
    if isinstance(value, str | bool) or (isinstance(value, int) and abs(value) <= _MANY):
        return value
    fields.error(tree.at, "wrong-type", "an argument or header is a text, an integer, true or false")
    return None


def _headers(row: Fields) -> dict[str, Argument]:
    """Only these kinds of match look at headers that begin with `x-`; a header without a value is to be there."""
    match = row.choice("match", MATCHES)
    table = row.table_of("headers")
    if table is None:
        return {}
    empty = [entry for entry in table.entries if isinstance(entry.value, Scalar) and entry.value.value is None]
    read = {entry.key: None if entry in empty else _argument(entry.value, row) for entry in table.entries}
    return {"x-match": f"{match.value if match else 'all'}-with-x", **read}


@dataclass(frozen=True, slots=True)
class _Known:
    """The names that the file declares, which its parts may refer to."""

    exchanges: frozenset[str]
    queues: frozenset[str]

    def exchange(self, name: str, fields: Fields) -> Exchange:
        fields.need("type", f"one of {', '.join(EXCHANGE_TYPES)}")
        type_ = fields.choice("type", EXCHANGE_TYPES)
        alternate = self._name(fields, "alternate", self.exchanges | {UNROUTED})
        arguments = {"alternate-exchange": alternate} if alternate else {}
        return Exchange(name, type_.value if type_ else "topic", arguments | _arguments(fields), _durable(fields))

    def queue(self, name: str, fields: Fields) -> Queue:
        type_ = fields.choice("type", QUEUE_TYPES)
        kind = type_.value if type_ else "quorum"
        durable = _durable(fields)
        if kind == "quorum" and not durable:
            fields.error(fields.place("durable"), "bad-value", "a quorum queue is durable", "take `type: classic`")
        arguments = {"x-queue-type": kind, **_limits(fields), **self._dead_letter(fields, kind), **_arguments(fields)}
        return Queue(name, arguments, durable)

    def _dead_letter(self, fields: Fields, kind: str) -> dict[str, Argument]:
        table = fields.table_of("dead_letter")
        if table is None:
            return {}
        keys = Fields(table, "dead_letter", DEAD_LETTER_KEYS, fields.diagnostics)
        keys.need("exchange")
        exchange = self._name(keys, "exchange", self.exchanges | {EXCHANGE_DEAD_LETTERS})
        found: dict[str, Argument] = {"x-dead-letter-exchange": exchange}
        if key := keys.text("key"):
            found["x-dead-letter-routing-key"] = key.value
        return found | (_kept_safe(fields) if kind == "quorum" else {})

    def binding(self, row: Fields) -> Binding | None:
        row.need("from", "the exchange that gives")
        row.need("to", "the queue or exchange that takes")
        source = self._name(row, "from", self.exchanges | set(_SHARED))
        to = self._name(row, "to", self.exchanges | self.queues | {EVENTS})
        if to in self.queues & self.exchanges:
            row.error(row.place("to"), "bad-value", f"{to!r} is a queue and an exchange", "give one another name")
        key, headers = row.text("key"), _headers(row)
        kind: Kind = "queue" if to in self.queues else "exchange"
        return Binding(source, to, kind, key.value if key else "", headers) if source and to else None

    def _name(self, fields: Fields, key: str, names: frozenset[str]) -> str:
        """Return a name that something refers to, or an empty text where it is missing or unknown."""
        name = fields.text(key)
        if name is None or name.value in names:
            return name.value if name else ""
        fields.error(
            name.at, "unknown-name", f"{name.value!r:.80} is not declared here", did_you_mean(name.value, names)
        )
        return ""
