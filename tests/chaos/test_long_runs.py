"""Runs that are longer than one history: what was applied stays applied, and no history comes near Temporal's limits.

A signal is applied once, however often and by whomever it is sent, and on whichever side of a continuation its
repetition comes. A run with very many events goes on in new executions in time, and leaves nobody who asked without an
answer.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError

from contracts.errors import SagaError
from contracts.json import Json
from tests.chaos.size import FULL, SEED, sized
from tests.support.waiting import eventually
from tests.workflows.temporal.hosting import Host, hosting
from tests.workflows.temporal.plans import LOCAL, act, approval, chain, foreach, fork, library, plan, receive, repeat
from tests.workflows.temporal.watching import Run, waiting_approval
from workflows.engine import mailbox
from workflows.temporal.starting import signal_run

pytestmark = pytest.mark.fault

IDS = sized(250, 2_000)
_REPEATED = 0.3
_AT_ONCE = 10
_AHEAD = 60
_FARTHEST = 120
_ABOUT_FIFTY_SIGNALS = 125
"""Events: a signal that is applied makes two, and shares the rest with those that come with it."""

ROUNDS, STEPS = sized((15, 20), (160, 40))
DECISIONS = sized(20, 200)
CONTINUE_AFTER = sized(400, None)
MOST_EVENTS = sized(800, 10_240)
EVENTS = sized(1_000, 20_000)
_MOST_BYTES = 10 * 1024 * 1024
_MOST_SIGNALS = 10_000


@dataclass
class Signals:
    """Sends signals with ids, some of them again, and knows what they must lead to."""

    client: Client
    run: Run
    host: Host
    sent: int = 0
    new: int = 0
    straddling: int = 0
    too_late: int = 0

    @property
    def applied(self) -> Counter[Any]:
        """How often each number was applied: by how many steps, since one may be carried out again."""
        return Counter(dict(zip(self.host.ledger.lines, self.host.ledger.given, strict=True)).values())

    async def send_all(self, numbers: Sequence[int]) -> None:
        """Send them in this order, some at once; after each continuation the latest once more. The last goes alone."""
        execution = self.run.first_execution_run_id
        for at in range(0, len(numbers) - 1, _AT_ONCE):
            batch = numbers[at : min(at + _AT_ONCE, len(numbers) - 1)]
            await self._send(batch)
            self.new = len(set(numbers[: at + len(batch)]))
            await eventually(self._is_near)
            now = (await self._last().describe()).run_id
            if now != execution:
                execution = now
                self.straddling += len(batch)
                await self._send(batch)
        await self._send(numbers[-1:])

    async def _send(self, numbers: Sequence[int]) -> None:
        self.sent += len(numbers)
        outcomes = await asyncio.gather(*(self._signal(number) for number in numbers), return_exceptions=True)
        ended = [each for each in outcomes if isinstance(each, RPCError | SagaError)]
        assert ended == [each for each in outcomes if each is not None]
        self.too_late += len(ended)

    async def _signal(self, number: int) -> None:
        """As the bridge does, or as a plain client may; Temporal takes each for another request."""
        identity = f"id-{number}"
        if (self.sent + number) % 2:
            event: dict[str, Json] = {"id": identity, "type": "number.added"}
            await signal_run(self.client, self.run.id, "add", number, event=event, message_id=identity)
        else:
            await self._last().signal("add", args=[number, {"message_id": identity}])

    async def _is_near(self) -> bool:
        return self.too_late > 0 or len(set(self.host.ledger.lines)) >= self.new - _AHEAD

    def _last(self) -> Run:
        found: Run = self.client.get_workflow_handle(self.run.id)
        return found


def with_repetitions(count: int, seed: int) -> list[int]:
    """Return the numbers up to `count` in their order, three of ten again somewhere behind; the last comes last."""
    chance = random.Random(f"{seed}-signals")  # noqa: S311 - a load, no secret
    places = [(float(number), number) for number in range(count)]
    again = chance.sample(range(count - 1), int(count * _REPEATED))
    places += [(min(number + chance.uniform(0, _FARTHEST), count - 1.5), number) for number in again]
    return [number for _, number in sorted(places)]


async def send_signals(client: Client) -> tuple[Signals, int]:
    """Send them to a run that continues as new all the time; return what was sent, and how many executions it had."""
    loop = repeat("loop", "got", f"index >= {IDS - 1}", max=IDS)
    steps = chain(receive("got", "add"), act("apply", action="flaky", args="${ steps.got.output }", execution=LOCAL))
    adder = plan("adder", loop, *steps, signals=("add",))
    async with hosting(client, library(adder), continue_after=_ABOUT_FIFTY_SIGNALS) as host:
        signals = Signals(client, await host.start("adder", {}), host)
        await signals.send_all(with_repetitions(IDS, SEED))
        last: Run = client.get_workflow_handle(signals.run.id)
        await last.result()
        executions = len([each async for each in client.list_workflows(f"WorkflowId = '{last.id}'")])
        return signals, executions


def report_of_signals(signals: Signals, executions: int) -> str:
    """Return the ledger in one line."""
    applied = signals.applied
    lost, twice = set(range(IDS)) - set(applied), [number for number, times in applied.items() if times > 1]
    return (
        f"signal ids: {IDS}, sent {signals.sent}, sent again over a continuation {signals.straddling}, "
        f"executions {executions}, applied {applied.total()}, lost {len(lost)}, duplicated {len(twice)}"
        f" (SAGA_CHAOS_SEED={SEED})"
    )


async def test_signal_is_applied_once_over_all_continuations(client: Client) -> None:
    """Three of ten ids come again, some of them to the next execution of the run."""
    signals, executions = await send_signals(client)
    report = report_of_signals(signals, executions)
    assert signals.applied == Counter(range(IDS)) and signals.too_late == 0, report
    assert signals.straddling > 0 and executions > IDS // 150, report
    sys.stdout.write(f"\n{report}\n")


@pytest.mark.skipif(FULL, reason="the short form shows it")
async def test_run_that_forgets_ids_is_caught(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The count is not blind: with a memory of a few ids, some are applied twice, and the last ones never."""
    monkeypatch.setattr(mailbox, "SEEN_LIMIT", 3)
    signals, executions = await send_signals(client)
    assert max(signals.applied.values()) > 1, report_of_signals(signals, executions)
    assert signals.applied.keys() != set(range(IDS))


async def histories(client: Client, run: Run) -> list[WorkflowHistory]:
    """Return the histories of all executions of a run."""
    found = client.list_workflows(f"WorkflowId = '{run.id}'")
    return [await client.get_workflow_handle(each.id, run_id=each.run_id).fetch_history() async for each in found]


def counted(history: WorkflowHistory) -> Mapping[str, int]:
    """Return the measures of one history that Temporal limits, and how many updates were not answered in it."""
    kinds = Counter(event.event_type for event in history.events)
    accepted = kinds[EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED]
    return {
        "events": len(history.events),
        "bytes": sum(event.ByteSize() for event in history.events),
        "signals": kinds[EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED],
        "unanswered": accepted - kinds[EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED],
    }


def beyond(measures: Sequence[Mapping[str, int]]) -> list[str]:
    """Return what is too much in any of the histories."""
    most = {"events": MOST_EVENTS, "bytes": _MOST_BYTES, "signals": _MOST_SIGNALS, "unanswered": 1}
    return [f"{name}: {each[name]}" for each in measures for name, limit in most.items() if each[name] >= limit]


async def run_long(client: Client, continue_after: int | None) -> tuple[Host, list[Mapping[str, int]]]:
    """Take very many steps, with a signal for each round and decisions beside them; return what the histories are."""
    steps = (
        fork("all", {"work": "loop", "people": "allow"}),
        repeat("loop", "each", f"index >= {ROUNDS - 1}", max=ROUNDS),
        foreach("each", list(range(STEPS)), "one", concurrency=STEPS, next="got"),
        act("one"),
        receive("got", "go"),
        approval("allow", quorum=DECISIONS),
    )
    async with hosting(client, library(plan("long", *steps, signals=("go",))), continue_after=continue_after) as host:
        handle = await host.start("long", {})
        await waiting_approval(handle)
        run: Run = client.get_workflow_handle(handle.id)
        for number in range(max(ROUNDS, DECISIONS)):
            if number < ROUNDS:
                await run.signal("go", number)
            if number < DECISIONS:
                decision = {"step": "allow", "decision": "approve", "approver": f"user-{number}"}
                assert (await run.execute_update("decide", decision))["approved"] is True
        await run.result()
        return host, [counted(history) for history in await histories(client, run)]


async def test_long_run_stays_below_the_limits_of_a_history(client: Client) -> None:
    """It goes on in new executions when the server suggests it, with every step done once and every decision told."""
    host, measures = await run_long(client, CONTINUE_AFTER)
    total = {name: sum(each[name] for each in measures) for name in measures[0]}
    most = {name: max(each[name] for each in measures) for name in measures[0]}
    report = f"long run: {len(measures)} histories, in all {total}, at most {most}"
    assert total["events"] >= EVENTS, report
    assert beyond(measures) == [], report
    assert len(host.ledger.lines) == len(set(host.ledger.lines)) == ROUNDS * STEPS, report
    sys.stdout.write(f"\n{report}\n")


@pytest.mark.skipif(FULL, reason="the short form shows it")
async def test_run_that_never_continues_is_caught(client: Client) -> None:
    """The measure is not blind: one history that holds it all is too long."""
    _, measures = await run_long(client, 1_000_000)
    assert len(measures) == 1
    assert beyond(measures)
