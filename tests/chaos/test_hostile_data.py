"""Random hostile data, for a while, through every entrance: messages, payloads of runs, and expressions.

What is drawn follows from the suite's seed. However hostile it is, it has an outcome of its own and costs nobody else
anything: no message is lost, no workflow task fails, and no expression takes more than its budget.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import aio_pika
import pytest
from aiormq.exceptions import PublishError
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError

from contracts.json import Json
from contracts.names import EXCHANGE_EVENTS
from tests.bridge.amqp.raw_values import Raw, text, write_raw_values
from tests.chaos.environment import ChaosEnvironment
from tests.chaos.size import SEED, sized
from tests.support.bus import Bus, open_bus
from tests.workflows.language.expressions.bindings import DictBindings
from tests.workflows.temporal.hosting import Host, hosting
from tests.workflows.temporal.plans import library
from tests.workflows.temporal.test_hostile_payloads import GATE, begin, failed_tasks, send
from workflows.language.expressions.cel import compile_expression
from workflows.language.expressions.functions import FUNCTIONS, Signature
from workflows.language.expressions.model import ExpressionErrors, ExpressionFailure

pytestmark = pytest.mark.fault

_SECONDS = sized(5, 100)
_AT_ONCE = 20
_PAUSE_SECONDS = 0.05
_BUDGET_SECONDS = 1.0
"""Of a thread's CPU. What the budget allows takes a tenth of that."""

_STRINGS: Final = (
    "",
    " ",
    "a",
    "0",
    "-1",
    "1e999",
    "null",
    "\x00",
    "\x1b[31m",
    "\u202e",
    "\U0001f600" * 9,
    "ß" * 120,
    "$" + "{ input }",
    "../..",
    "9" * 30,
    "2024-02-30T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "P1D",
    "quick.go",
    "patient.note",
)
_NUMBERS: Final = (0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 1.5, -0.0, 1e308)


class Chance(random.Random):
    """Draws hostile values."""

    def maybe(self, share: float = 0.5) -> bool:
        """Draw yes with this probability."""
        return self.random() < share

    def string(self) -> str:
        """Draw a text."""
        return self.choice(_STRINGS) if self.maybe(0.7) else "".join(map(chr, self.choices(range(1, 0x2FF), k=12)))

    def json(self, levels: int = 4) -> Json:
        """Draw any JSON."""
        draws: list[Callable[[], Json]] = [lambda: None, self.maybe, self.string]
        draws.append(lambda: self.choice(_NUMBERS))
        if levels:
            draws.append(lambda: [self.json(levels - 1) for _ in range(self.randrange(4))])
            draws.append(lambda: {self.string(): self.json(levels - 1) for _ in range(self.randrange(4))})
        return self.choice(draws)()

    def broken(self, whole: bytes) -> bytes:
        """Change, cut or repeat a few bytes."""
        data = bytearray(whole or b"?")
        for _ in range(self.randint(1, 4)):
            at = self.randrange(len(data))
            data[at : at + self.randrange(3)] = self.randbytes(self.randrange(3))
            data = data or bytearray(b"\xff")
        return bytes(data[: self.randrange(len(data) + 1)] if self.maybe(0.2) else data)


def _event(chance: Chance, identity: str) -> dict[str, Json]:
    """Return an event of some form, with some of its members replaced, added or gone."""
    kind = chance.choice(["quick.go", "patient.begin", "patient.note"])
    data: Json = {"id": chance.choice([identity, *_STRINGS]), "say": "?"}
    moment = datetime.now(UTC).isoformat()
    forms: list[dict[str, Json]] = [
        {"id": identity, "type": kind, "version": "1.0.0", "time": moment, "source": "tests", "data": data},
        {"specversion": "1.0", "id": identity, "type": kind, "time": moment, "source": "/tests", "data": data},
        {"eventId": identity, "eventType": kind, "timestamp": moment, "payload": data},
    ]
    event = chance.choice(forms)
    for name in chance.choices([*event, "metadata", "expires_at", "subject", chance.string()], k=chance.randrange(4)):
        if chance.maybe(0.3):
            event.pop(name, None)
        elif name not in {"id", "eventId"}:
            event[name] = chance.json()
    return event


def _body(chance: Chance, identity: str) -> bytes:
    """Return what may be an event, or nearly one, or anything."""
    whole = json.dumps(_event(chance, identity)).encode()
    if chance.maybe(0.5):
        return whole
    deep = b"[" * 5_000 + b"]" * 5_000
    return chance.choice([chance.broken(whole), chance.randbytes(40), json.dumps(chance.json()).encode(), deep, b""])


def _header(chance: Chance) -> Any:
    """Return a value of a header table, of a kind that our own client library does not write, too."""
    raw = [
        text(chance.randbytes(9)),
        Raw(b"x\x00\x00\x00\x01\xff"),
        Raw(b"T" + b"\xff" * 8),
        Raw(b"D\xff\x00\x00\x00\x01"),
    ]
    return chance.choice([*_NUMBERS[:8], chance.string(), None, True, [1, [2]], {"a": {"b": 1}}, *raw])


_HEADERS: Final = (
    *("x-saga-partition", "x-partition", "x-saga-attempts", "x-saga-priority", "x-saga-routing-key", "x-saga-replay"),
    *("x-death", "x-delivery-count", "traceparent", "tracestate", "correlation_id", "group_id"),
    *("cloudEvents:id", "cloudEvents:type", "cloudEvents:source", "cloudEvents:specversion", "cloudEvents_time"),
)


def _message(chance: Chance, identity: str) -> aio_pika.Message:
    """Return a message with properties that fit, or do not."""
    names = chance.sample([*_HEADERS, chance.string() or "h"], k=chance.choice([0, 0, 1, 3]))
    return aio_pika.Message(
        _body(chance, identity),
        message_id=identity,
        headers={name: _header(chance) for name in names},
        priority=chance.choice([0, 5, 9, 255]),
        content_type=chance.choice([None, "application/json", "application/cloudevents+json", "text/xml", "\x00"]),
        content_encoding=chance.choice([*[None] * 7, "gzip", "utf-16", "ß"]),
        correlation_id=chance.choice([None, None, chance.string()]),
        type=chance.choice([None, "quick.go", chance.string()]),
        timestamp=chance.choice([None, 0, datetime(9999, 1, 1, tzinfo=UTC)]),
        app_id=chance.choice([None, chance.string()]),
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


async def _publish(bus: Bus, chance: Chance, tag: str) -> list[str]:
    """Publish hostile messages for a while; returns the ids of those that the broker has."""
    exchange = await bus.channel.get_exchange(EXCHANGE_EVENTS, ensure=False)
    ends, taken = time.monotonic() + _SECONDS, list[str]()
    while time.monotonic() < ends:
        for _ in range(_AT_ONCE):
            identity = f"{tag}-{len(taken)}-"
            with suppress(PublishError):  # what no queue takes is its producer's to know
                await exchange.publish(_message(chance, identity), chance.choice(["quick.go", "patient.note"]))
                taken.append(identity)
        await asyncio.sleep(_PAUSE_SECONDS)
    return taken


async def test_hostile_messages_have_an_outcome_each_and_hold_up_nobody(
    env: ChaosEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is an event on record or a dead letter, and the events beside them are handled as ever."""
    write_raw_values(monkeypatch)
    chance = Chance(f"{SEED}-messages")
    await env.bridges.started()
    async with env.loading() as load, open_bus(env.amqp_url) as bus:
        taken = await _publish(bus, chance, f"hostile-{env.name}")
        await env.recovered()
        await load.wait_for_confirms(20)
    found, findings = await env.settle()
    known = "\n".join([*map(str, found.letters), *map(str, found.outcomes)])
    env.ledger.notes["hostile"] = len(taken)
    report = env.ledger.report(found, findings)
    assert [each for each in taken if each not in known][:12] == [], report
    assert (findings.lost, findings.disordered) == ([], []), report
    assert [each for each in findings.duplicated if env.name in each and "hostile" not in each] == [], report
    sys.stdout.write(f"\n{report.splitlines()[0]}\n")


def _payload(chance: Chance) -> Payload:
    """Return a payload that may be readable."""
    encodings = [b"json/plain"] * 4 + [b"binary/null", b"binary/plain", b"json/protobuf", b"\xff", b"", b"foo/bar"]
    metadata = {"encoding": chance.choice(encodings)} if chance.maybe(0.9) else {}
    whole = json.dumps(chance.json()).encode()
    return Payload(metadata=metadata, data=chance.broken(whole) if chance.maybe(0.3) else whole)


async def _harass(host: Host, chance: Chance) -> None:
    """Start a run, send it anything by every name, ask it for its state, and end it; none of its tasks fails."""
    first = Payload(metadata={"encoding": b"json/plain"}, data=b"{}") if chance.maybe() else _payload(chance)
    run = await begin(host, "hostile", first)
    with suppress(RPCError):  # it may have ended at its start
        for _ in range(chance.randint(1, 20)):
            await send(host.client, run, chance.choice(["go", "approve", "reject", "cancel", "x"]), _payload(chance))
        with suppress(Exception):  # whatever a person is told who decides like that
            await run.execute_update(chance.choice(["decide", "x"]), chance.json(), id=uuid.uuid4().hex)
        with suppress(Exception):
            await run.query(chance.choice(["state", "x"]), chance.json())
        await (run.cancel() if chance.maybe() else run.signal("cancel"))
        await run.cancel()
    with suppress(WorkflowFailureError):
        await run.result()
    assert await failed_tasks(run) == []


async def test_hostile_payloads_fail_no_workflow_task(client: Client) -> None:
    """At the start, as signals, updates and queries: each run ends, and no task of it has failed."""
    chance, runs = Chance(f"{SEED}-payloads"), 0
    ends = time.monotonic() + _SECONDS
    async with hosting(client, library(GATE)) as host:
        while time.monotonic() < ends:
            await asyncio.wait_for(_harass(host, chance), 60)
            runs += 1
    sys.stdout.write(f"\n{runs} runs harassed (SAGA_CHAOS_SEED={SEED})\n")


_LITERALS: Final[Mapping[str, tuple[str, ...]]] = {
    "string": ("''", "'a'", "input.a", "input.ab", "input.needle", "'(a|b)*c'", "'%s %d %.9f'", "string(1)"),
    "number": ("0", "-1", "1", "1e308", "9007199254740993", "input.n", "size(input.xs)"),
    "whole": ("0", "-1", "1", "62", "250000", "9223372036854775807"),
    "bool": ("true", "false", "input.yes"),
    "list": ("[]", "input.xs", "input.texts", "[1, 'a', null]"),
    "strings": ("input.texts", "[]"),
    "object": ("{}", "input", "{'a': input.xs}"),
    "bytes": ("b''", "bytes(input.ab)"),
    "timestamp": ("now", "timestamp('2024-01-01T00:00:00Z')"),
    "duration": ("duration('1h')", "duration('-300000h')"),
    "optional": ("optional.none()", "input.?a", "input.?missing"),
    "type": ("type(1)",),
    "any": ("null", "input", "input.a", "input.xs"),
}
_LOOPS: Final = (
    "{list}.map(v, {any})",
    "{list}.filter(v, {bool})",
    "{list}.all(v, {bool})",
    "{list}.exists(v, {bool})",
    "cel.bind(v, {any}, {any})",
    "({bool} ? {any} : {any})",
    "({any} == {any})",
    "({any} in {list})",
    "({string} + {string})",
    "({list} + {list})",
    "({number} * {number})",
    "[{any}, {any}]",
    "{{'k': {any}}}",
)


class Grammar:
    """Draws expressions from the table of functions and the macros."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._ways = [
            (name, is_method, signature)
            for (name, is_method), function in FUNCTIONS.items()
            for signature in function.signatures
        ]

    def draw(self, kind: str, levels: int) -> str:
        """Draw an expression that may be of a kind."""
        if levels == 0 or self._chance.maybe(0.15):
            return self._chance.choice(_LITERALS[kind])
        if self._chance.maybe(0.3):
            parts = {each: self.draw(each, levels - 1) for each in ("list", "any", "bool", "string", "number")}
            return self._chance.choice(_LOOPS).format(**parts)
        fitting = [way for way in self._ways if kind in (way[2].result, "any")]
        return self._call(*self._chance.choice(fitting or self._ways), levels - 1)

    def _call(self, name: str, is_method: bool, signature: Signature, levels: int) -> str:
        own, *rest = [self.draw(kind, levels) for kind in signature.parameters] or [""]
        return f"{own}.{name}({', '.join(rest)})" if is_method else f"{name}({', '.join(filter(None, [own, *rest]))})"


def test_no_expression_takes_longer_than_its_budget() -> None:
    """Whatever is combined, over large data: it has a value, or an error of its own, in bounded time."""
    chance = Chance(f"{SEED}-expressions")
    grammar, tried, evaluated, slowest = Grammar(chance), 0, 0, (0.0, "")
    bindings = DictBindings(
        {
            "input": {
                "a": "a" * 200_000,
                "ab": "".join(chance.choices("ab", k=200_000)),
                "needle": "a" * 50_000 + "b",
                "n": 7.5,
                "yes": True,
                "xs": list(range(2_000)),
                "texts": ["ab" * 50] * 1_000,
            }
        }
    )
    ends = time.monotonic() + _SECONDS
    while time.monotonic() < ends:
        tried += 1
        source = grammar.draw("any", chance.randint(1, 5))
        with suppress(ExpressionErrors, ExpressionFailure):
            expression, began = compile_expression(source), time.thread_time()
            try:
                expression.evaluate(bindings)
            finally:
                evaluated += 1
                slowest = max(slowest, (time.thread_time() - began, source))
    seconds, source = slowest
    told = f"{tried} expressions, {evaluated} evaluated, slowest {seconds:.2f} s: {source} (SAGA_CHAOS_SEED={SEED})"
    assert evaluated > tried / 10, told
    assert seconds < _BUDGET_SECONDS, told
    sys.stdout.write(f"\n{told}\n")
