"""The command streams of the shipped definitions: what their engine asks for, driven by a fixed schedule of events.

`python -m tests.acceptance.command_streams` prints everything whose bytes must be equal in every process: the canonical
plans, the commands in their order, the state and the table that people see at the end. The driver answers commands by
chance from a fixed seed: results and failures in any order, people, messages, time. The output is not sorted, so that
an order that depends on a hash shows.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from activities.registry import catalog
from contracts.json import Json
from contracts.problems import Problem
from tests.definitions.shipped import FILES
from workflows.engine.advance import advance, new_state
from workflows.engine.commands import Cancel, CancelRun, Command, Complete, Fail, StartActivity, StartTimer
from workflows.engine.events import Begun, CancelRequested, Decision, Done, Event, Failed, Fired, Message, RunInfo
from workflows.engine.serial import state_to_json
from workflows.engine.state import State, Wait
from workflows.engine.view import details
from workflows.language.canonical import canonical_text
from workflows.language.compiler import compile_sources
from workflows.language.plan import Approval, Plan

SCHEDULES = 40
_LIMIT = 2000
_CANCELS, _SILENCE, _FAILURES = 0.005, 0.6, 0.05  # how likely each is
_BEGIN = 1_780_000_000_000
_INFO = RunInfo("run-1", "any/key-1", "key-1", "cause-1")
_ROLES = ("sales", "head-of-sales")

# What depends on order where it is done wrongly: maps and their comprehensions, mixed numbers, rendered maps.
EXPRESSIONS = """
id: expressions
version: 1.0.0
input: {type: object, properties: {prices: {type: object, additionalProperties: {type: number}}}}
steps:
  - id: look
    type: set
    vars:
      names: ${ input.prices.map(name, name) }
      dear: ${ input.prices.filter(name, input.prices[name] > 2.5) }
      doubled: ${ input.prices.map(name, input.prices[name] * 2 / 3) }
      some: ${ input.prices.exists(name, input.prices[name] == 3) }
      text: "all: ${ input.prices }"
      made: "${ {'z': 1, 'y': 2.5, 'x': [3, 4.0], 'w': {'b': 1, 'a': 2}} }"
  - id: each
    type: foreach
    items: ${ vars.names }
    as: name
    concurrency: 3
    steps:
      - {id: keep, action: data.transform, with: {value: {name: "${ name }", price: "${ input.prices[name] }"}}}
  - id: both
    type: parallel
    branches:
      left: [{id: left, type: set, vars: {l: "${ uuid() }"}}]
      right: [{id: right, type: set, vars: {r: "${ string(now) }"}}]
output: ${ vars }
"""

_AGENT: dict[str, Json] = {"agent_id": "a-1", "type": "coder", "name": "Ada", "cognitive_pattern": "systems"}
_ORDER: dict[str, Json] = {"order_id": "o-1", "account": "acme", "address": "1 Main Street", "total": 1500}
_ITEMS: list[Json] = [{"sku": "pen", "quantity": 2}, {"sku": "lamp", "quantity": 1}]
_PARCELS: list[Json] = [{"order_id": f"o-{number}", "address": "1 Main Street"} for number in range(30)]
_PRICES: dict[str, Json] = {f"p{number * 37 % 101}": number + 0.5 * (number % 2) for number in range(20)}

INPUTS: Mapping[str, Json] = MappingProxyType(
    {
        "agent-creation": _AGENT,
        "agent-creation-v1": _AGENT,
        "bulk-shipment": {"batch_id": "b-1", "parcels": _PARCELS},
        "expressions": {"prices": _PRICES},
        "invoice-collection": {"invoice_id": "i-1", "amount": 100},
        "nightly-sales-report": {"hours": 24},
        "order-fulfilment": _ORDER | {"items": _ITEMS},
    }
)

_OUTPUTS: Mapping[str, Json] = MappingProxyType(
    {
        "createAgentRecord": _AGENT | {"created_by": None},
        "data.transform": {"kept": True},
        "event.publish": {"event_id": "e-1"},
        "inventory.reserve": {"reservation": "k-1", "quantity": 3},
        "payment.charge": {"payment": "k-2", "payment_id": "p-1", "amount": 1500},
        "sales.summary": {"payments": 3, "refunded": 1, "revenue": 99.5},
        "sendCreationNotification": {"agent_id": "a-1", "event_id": "e-2"},
        "shipment.create": {"shipment": "k-3", "shipment_id": "s-1"},
    }
)

_PROBLEMS = (
    Problem("rejected", "Refused", 409, "By chance."),
    Problem("timeout", "Too long", 504, "By chance.", outcome="unknown"),
)


@dataclass
class Drive:
    """One run of a plan, driven to its end."""

    plan: Plan
    chance: random.Random
    state: State = field(init=False)
    at: int = _BEGIN
    working: dict[str, StartActivity] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    ended: bool = False

    def __post_init__(self) -> None:
        """Begin."""
        self.state = new_state(self.plan)
        self._give(Begun(self.at, _INFO, INPUTS[self.plan.id]))

    def to_the_end(self) -> list[str]:
        """Drive the run to its end, and return its stream."""
        while not self.ended:
            assert len(self.lines) < _LIMIT, f"{self.plan.id} does not end"
            self.at += self.chance.randint(1, 5000)
            self._give(self._next())
        return [*self.lines, _text(state_to_json(self.state)), details(self.plan, self.state)]

    def _give(self, event: Event) -> None:
        self.state, commands = advance(self.plan, self.state, event)
        self.lines.append(_text([type(event).__name__, asdict(event)]))
        for command in commands:
            self.lines.append(_text([type(command).__name__, asdict(command)]))
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        match command:
            case StartActivity():
                self.working[command.id] = command
            case StartTimer():
                self.due[command.id] = self.at + round(command.seconds * 1000)
            case Cancel(identity):
                self.due.pop(identity, None)
            case Complete() | Fail() | CancelRun():
                self.ended = True

    def _next(self) -> Event:
        if self.chance.random() < _CANCELS:
            return CancelRequested(self.at, "by chance")
        working, waits = list(self.working), list(self.state.waits.values())
        if self.due and not working and (not waits or self.chance.random() < _SILENCE):
            return self._fire()
        number = self.chance.randrange(len(working) + len(waits))
        return self._answer(working[number]) if number < len(working) else self._come(waits[number - len(working)])

    def _fire(self) -> Event:
        identity = min(self.due, key=lambda name: self.due[name])
        self.at = max(self.at, self.due.pop(identity))
        return Fired(self.at, identity)

    def _answer(self, identity: str) -> Event:
        command = self.working.pop(identity)
        if self.chance.random() < _FAILURES:
            return Failed(self.at, identity, self.chance.choice(_PROBLEMS))
        return Done(self.at, identity, _OUTPUTS.get(command.action))

    def _come(self, wait: Wait) -> Event:
        if isinstance(self.plan.nodes[wait.node], Approval):
            who = self.chance.choice(("ada", "bo", "cleo"))
            approved = self.chance.random() < 0.8
            return Decision(self.at, wait.path, approved, who, (self.chance.choice(_ROLES),), "by chance")
        data: Json = {"amount": self.chance.choice((60, 100, 100.5))}
        return Message(self.at, "payment", data, {"type": "payment.received", "data": data}, f"m-{len(self.lines)}")


def plans() -> list[Plan]:
    """Compile the shipped definitions, and one that holds what depends on order."""
    texts = {file.parent.name: file.read_text(encoding="utf-8") for file in FILES}
    compilation = compile_sources(texts | {"expressions": EXPRESSIONS}, catalog())
    assert compilation.library is not None, compilation.diagnostics
    return [definition.plan for definition in compilation.library.all()]


def streams() -> Iterator[str]:
    """Yield everything whose bytes must be equal in every process."""
    for plan in plans():
        yield f"{plan.id} {plan.digest} {canonical_text(plan)}"
        for seed in range(SCHEDULES):
            yield from Drive(plan, random.Random(seed)).to_the_end()  # noqa: S311 - a schedule, not a secret


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in streams())
