"""The operator's file: what it says, and every mistake with its line."""

from __future__ import annotations

import pickle
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.topology.errors import InvalidTopologyError
from bridge.topology.file import load_topology
from bridge.topology.model import Binding, Declarations, Exchange, PlainRule, PriorityClass, Queue, Topology
from contracts.json import Json

SHIPPED = Path(__file__).parents[3] / "definitions" / "topology.yaml"


class _Event:
    """The bindings of an event whose data are given."""

    def __init__(self, data: Json) -> None:
        self._data = data

    def root(self, name: str) -> object:
        return {"event": {"data": self._data}}[name]

    def step(self, name: str) -> object:
        raise KeyError(name)

    def uuid(self) -> str:
        return ""


def _mistakes(text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(InvalidTopologyError) as caught:
        load_topology(text, "topology.yaml")
    return [(each.line, each.code, each.hint) for each in caught.value.diagnostics]


def test_shipped_file_says_the_defaults() -> None:
    """It documents itself: what it spells out is what counts without it."""
    topology, usual = load_topology(SHIPPED.read_bytes(), "topology.yaml"), Topology()
    assert (topology.partitions, topology.classes, topology.ordering, topology.message_ttl) == (
        usual.partitions,
        usual.classes,
        usual.ordering,
        usual.message_ttl,
    )
    assert [each.name for each in topology.own.exchanges] == ["event-watch"]


def test_shipped_comments_are_valid_as_well() -> None:
    """Uncommenting a line gives what the comment promises."""
    text = SHIPPED.read_text()
    examples = [block for block in text.split("\n\n") if "\n#\n# " in f"\n{block}\n"]
    shown = "\n".join(
        line.removeprefix("# ")
        for block in examples
        for line in block.split("\n#\n")[-1].splitlines()
        if line.startswith("# ")
    )
    topology = load_topology(shown, "topology.yaml")
    assert topology.ordering[0].event == "invoice.*"
    assert topology.message_ttl == timedelta(days=2)
    assert [each.name for each in topology.own.queues] == ["shop.audit"]


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n"])
def test_empty_file_is_the_defaults(text: str) -> None:
    """An operator may comment everything out."""
    assert load_topology(text, "topology.yaml") == Topology()


def test_file_sets_partitions_classes_and_ttl() -> None:
    """What is left out of a class keeps its default."""
    topology = load_topology("partitions: 4\npriorities: {high: {from: 9, weight: 8}}\nttl: 1h\n", "topology.yaml")
    assert topology.partitions == 4
    assert topology.classes[0] == PriorityClass("high", 9, 8)
    assert topology.classes[1:] == Topology().classes[1:]
    assert topology.message_ttl == timedelta(hours=1)


def test_rule_for_ordering_gives_the_key() -> None:
    """The key is a template over the event."""
    topology = load_topology('ordering: [{event: "order.*", key: "${ event.data.order_id }"}]', "topology.yaml")
    rule = topology.ordering[0]
    assert (rule.event, rule.key.evaluate(_Event({"order_id": "A1"}))) == ("order.*", "A1")


def test_file_declares_exchanges_queues_and_bindings() -> None:
    """Plain names become AMQP's arguments."""
    text = """
exchanges:
  orders: {type: direct, alternate: rest}
  rest: {type: fanout, durable: false}
queues:
  audit: {ttl: 1m, expires: 1h, max_length: 5, max_bytes: 1000, single_active_consumer: true}
  safe: {dead_letter: {exchange: dlx, key: safe}, arguments: {x-quorum-initial-group-size: 3}}
  old: {type: classic, durable: false, overflow: drop-head, dead_letter: {exchange: rest}}
bindings:
  - {from: orders, to: events, key: order.placed}
  - {from: events, to: audit, key: "#"}
  - {from: rest, to: old, match: any, headers: {x-tenant: , region: eu}}
"""
    own = load_topology(text, "topology.yaml").own
    assert own == Declarations(
        exchanges=(Exchange("orders", "direct", {"alternate-exchange": "rest"}), Exchange("rest", "fanout", {}, False)),
        queues=(
            Queue(
                "audit",
                {
                    "x-queue-type": "quorum",
                    "x-message-ttl": 60_000,
                    "x-expires": 3_600_000,
                    "x-max-length": 5,
                    "x-max-length-bytes": 1000,
                    "x-single-active-consumer": True,
                },
            ),
            Queue(
                "safe",
                {
                    "x-queue-type": "quorum",
                    "x-dead-letter-exchange": "dlx",
                    "x-dead-letter-routing-key": "safe",
                    "x-dead-letter-strategy": "at-least-once",
                    "x-overflow": "reject-publish",
                    "x-quorum-initial-group-size": 3,
                },
            ),
            Queue(
                "old", {"x-queue-type": "classic", "x-overflow": "drop-head", "x-dead-letter-exchange": "rest"}, False
            ),
        ),
        bindings=(
            Binding("orders", "events", "exchange", "order.placed"),
            Binding("events", "audit", "queue", "#"),
            Binding("rest", "old", "queue", "", {"x-match": "any-with-x", "x-tenant": None, "region": "eu"}),
        ),
    )


def test_file_says_whose_messages_are_plain() -> None:
    """By routing key, and by an exchange from which bindings lead to `events`, also by way of others."""
    text = """
exchanges: {a: {type: topic}, b: {type: fanout}}
bindings: [{from: a, to: b, key: "#"}, {from: b, to: events}]
plain: [{key: "x.*"}, {key: "#", exchange: a, id: content}, {key: y, exchange: events, id: message}]
"""
    assert load_topology(text, "topology.yaml").plain == (
        PlainRule("x.*"),
        PlainRule("#", "a", "content"),
        PlainRule("y", "events"),
    )


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("partitons: 8", "unknown-key", "did you mean 'partitions'?"),
        ("partitions: 0", "out-of-range", ""),
        ("partitions: 65", "out-of-range", ""),
        ("partitions: many", "wrong-type", ""),
        ("partitions: 8\npartitions: 9", "yaml-duplicate-key", "the first is in line 1"),
        ("plain: {key: a}", "wrong-type", ""),
        ("plain: [{exchange: events}]", "missing-key", "a topic pattern of routing keys, such as order.*; # for all"),
        ("plain: [{key: a, id: body}]", "bad-value", "there are: content, message"),
        ("plain: [{key: a, exchange: shop}]", "unknown-name", "there are: events"),
        (
            "exchanges: {shop: {type: topic}}\nplain: [{key: a, exchange: shop}]",
            "bad-value",
            "add {from: shop, to: events} to 'bindings'",
        ),
        ("ttl: soon", "bad-duration", ""),
        ("ttl: 0s", "bad-duration", ""),
        ("priorities: {urgent: {from: 9}}", "unknown-key", "there are: high, low, normal"),
        ("priorities: {high: {from: 3}}", "bad-value", "the usual: 7, 4, 0"),
        ("priorities: {low: {from: 1}}", "bad-value", "the usual: 7, 4, 0"),
        ("priorities: {high: {weight: 0}}", "out-of-range", ""),
        ("priorities: {high: {from: 10}}", "out-of-range", ""),
        ('ordering: [{event: "a.*"}]', "missing-key", "such as ${ event.data.order_id }"),
        ("ordering: [{event: a, key: same}]", "bad-value", "such as ${ event.data.order_id }"),
        ("ordering: [{event: a, key: 7}]", "wrong-type", "such as ${ event.data.id }"),
        ("ordering: [{event: a, key: '${ input.id }'}]", "bad-expression", ""),
        ("ordering: [{event: a, key: '${ event. }'}]", "bad-expression", ""),
        ("ordering: [a]", "wrong-type", ""),
        ("exchanges: {saga.mine: {type: topic}}", "reserved-name", ""),
        ("exchanges: {events: {type: topic}}", "reserved-name", ""),
        ("exchanges: {dlx: {type: topic}}", "reserved-name", ""),
        ("queues: {amq.mine: {}}", "reserved-name", ""),
        ("queues: {events.unrouted: {}}", "reserved-name", ""),
        ("exchanges: {a: {type: topc}}", "bad-value", "did you mean 'topic'?"),
        ("exchanges: {a: }", "missing-key", "one of topic, direct, fanout, headers"),
        ("exchanges: {a: topic}", "wrong-type", ""),
        ("exchanges: {a: {type: topic, alternate: b}}", "unknown-name", "did you mean 'a'?"),
        ("queues: {q: {typ: quorum}}", "unknown-key", "did you mean 'type'?"),
        ("queues: {q: {durable: false}}", "bad-value", "take `type: classic`"),
        ("queues: {q: {overflow: drop-head, dead_letter: {exchange: dlx}}}", "bad-value", ""),
        ("queues: {q: {dead_letter: {}}}", "missing-key", ""),
        ("queues: {q: {dead_letter: {exchange: dlc}}}", "unknown-name", "did you mean 'dlx'?"),
        ("queues: {q: {arguments: {x-a: [1]}}}", "wrong-type", ""),
        ("queues: {q: {arguments: {x-a: 99999999999999999999}}}", "wrong-type", ""),
        ("queues: {q: {}}\nbindings: [{from: event, to: q}]", "unknown-name", "did you mean 'events'?"),
        ("queues: {q: {}}\nbindings: [{from: events, to: p}]", "unknown-name", "did you mean 'q'?"),
        ("queues: {q: {}}\nbindings: [{to: q}]", "missing-key", "the exchange that gives"),
        ("exchanges: {q: {type: fanout}}\nqueues: {q: {}}\nbindings: [{from: events, to: q}]", "bad-value", ""),
        ("[]", "wrong-type", ""),
    ],
)
def test_mistake_is_named_with_its_line(text: str, code: str, hint: str) -> None:
    """The message says where; the hint what was probably meant."""
    found = _mistakes(text)
    assert code in [each[1] for each in found], found
    line, _, told = next(each for each in found if each[1] == code)
    assert 1 <= line <= len(text.splitlines())
    assert hint in told


def test_all_mistakes_are_found_at_once() -> None:
    """One reading is enough."""
    assert [line for line, _, _ in _mistakes("partitions: 0\nttl: soon\nqueues: {q: {x: 1}}\n")] == [1, 2, 3]


def test_bomb_is_refused() -> None:
    """A file that would grow without end is a mistake like any other."""
    levels = "\n".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]" for n in range(1, 9))
    assert _mistakes(f"b0: &b0 [x]\n{levels}\n")


def test_error_keeps_its_findings_when_pickled() -> None:
    """It may cross a process, and its message has file and line."""
    with pytest.raises(InvalidTopologyError) as caught:
        load_topology("partitons: 8", "a/topology.yaml")
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert again.diagnostics == caught.value.diagnostics
    assert "a/topology.yaml:1:1: a topology has no key 'partitons' (did you mean 'partitions'?)" in str(again)
