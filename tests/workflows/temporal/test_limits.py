"""What is too much for Temporal fails its step in time: no run is stuck or terminated, and what was done is undone."""

from __future__ import annotations

import asyncio
import base64
import random

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from contracts.json import DEEPEST, Json
from tests.workflows.temporal.hosting import Host, hosting
from tests.workflows.temporal.plans import (
    act,
    chain,
    child,
    foreach,
    fork,
    library,
    pause,
    plan,
    receive,
    repeat,
    template,
    undo,
)
from tests.workflows.temporal.test_hostile_payloads import failed_tasks
from tests.workflows.temporal.watching import Run, failure_of
from workflows.engine.mailbox import KEPT_LIMIT, KEPT_LIMIT_BYTES, REFUSED_LIMIT
from workflows.engine.steps import DEEPEST_RUN
from workflows.language.plan import Plan, Raise


async def executions(run: Run, client: Client) -> int:
    """Return how many executions a run had."""
    found = client.list_workflows(f"WorkflowId = '{run.id}'")
    return len([each async for each in found])


async def ended(host: Host, run: Run) -> WorkflowExecutionStatus | None:
    """Return how the last execution of a run has ended; none of its tasks has failed."""
    last: Run = host.client.get_workflow_handle(run.id)
    assert await failed_tasks(last) == []
    return (await last.describe()).status


async def over(run: Run) -> None:
    """Wait until a run has ended, however."""
    await asyncio.wait([asyncio.ensure_future(run.result())])


async def test_letters_are_measured_as_they_are_sent(client: Client) -> None:
    """400,000 letters of two bytes are 800 kB, whichever way they go."""
    steps = chain(
        act("a", args={"text": "${ input.text + input.text }"}, undo=undo()), act("b", args="${ steps.a.output }")
    )
    async with hosting(client, library(plan("cyrillic", *steps))) as host:
        run = await host.start("cyrillic", {"text": "ж" * 200_000})
        await run.result()
        assert await ended(host, run) is WorkflowExecutionStatus.COMPLETED


async def test_deepest_values_may_be_collected(client: Client) -> None:
    """A list of values that are as deep as may be is the result of a run, though it is one level deeper."""
    deepest: Json = []
    for _ in range(DEEPEST - 2):
        deepest = [deepest]
    one = act("one", args="${ input[0] }")
    async with hosting(client, library(plan("collects", foreach("each", "${ [1, 2] }", "one"), one))) as host:
        run = await host.start("collects", [deepest])
        assert [each["given"] for each in await run.result()] == [deepest, deepest]
        assert await ended(host, run) is WorkflowExecutionStatus.COMPLETED


async def test_steps_at_once_are_spread_over_tasks(client: Client) -> None:
    """Eight steps of 600 kB each are more than one task may send; all are carried out."""
    branches = {f"b{n}": f"s{n}" for n in range(8)}
    steps = [act(f"s{n}", action="flaky", args={"text": "${ input.text }"}) for n in range(8)]
    async with hosting(client, library(plan("wide", fork("all", branches), *steps))) as host:
        run = await host.start("wide", {"text": "x" * 600_000})
        await run.result()
        assert len(host.ledger.lines) == 8
        assert await ended(host, run) is WorkflowExecutionStatus.COMPLETED


async def test_step_that_waits_for_the_next_task_can_be_cancelled(client: Client) -> None:
    """What was not started yet when the run is cancelled has not happened, and is not undone."""
    branches = {f"b{n}": f"s{n}" for n in range(6)}
    steps = [act(f"s{n}", action="hang", args={"text": "${ input.text }"}, undo=undo()) for n in range(6)]
    async with hosting(client, library(plan("wide-cancel", fork("all", branches), *steps))) as host:
        run = await host.start("wide-cancel", {"text": "x" * 600_000})
        await run.cancel()
        await over(run)
        assert await ended(host, run) is WorkflowExecutionStatus.CANCELED
        started = {line for line in host.ledger.lines if line.startswith("hang")}
        undone = {line for line in host.ledger.lines if line.startswith("undo")}
        assert {line.replace("hang ", "undo ") + "/compensate" for line in started} <= undone


async def test_early_messages_are_kept_up_to_a_limit(client: Client) -> None:
    """By their size and by their number; what is beyond it is on record, and the run goes on."""
    steps = chain(pause("sleep", "1h"), act("b"))
    async with hosting(client, library(plan("mailbox", *steps))) as host:
        run = await host.start("mailbox", {})
        for _ in range(20):
            await run.signal("large", "x" * 100_000)
        state = await run.query("state")
        kept = KEPT_LIMIT_BYTES // 100_000
        assert (len(state["mailbox"]), state["refused_count"]) == (kept, 20 - kept)
        assert "mailbox is full" in state["refused"][0]["reason"]
        await run.cancel()
        await over(run)
        assert await ended(host, run) is WorkflowExecutionStatus.CANCELED


async def test_flood_of_signals_is_taken_in_and_ends(client: Client) -> None:
    """Thousands, as fast as they can be sent: bounded in the state, the run goes on while they come and afterwards."""
    steps = chain(receive("got", "go"), act("b", args="${ steps.got.output }"))
    async with hosting(client, library(plan("flood", *steps, signals=("go",))), continue_after=1000) as host:
        run = await host.start("flood", {})
        for _ in range(20):
            await asyncio.gather(*(run.signal("noise", number) for number in range(150)))
        await run.signal("go", "through")
        last: Run = client.get_workflow_handle(run.id)
        assert (await last.result())["given"] == "through"
        state = await last.query("state")
        assert len(state["mailbox"]) <= KEPT_LIMIT
        assert len(state["refused"]) <= REFUSED_LIMIT
        assert state["refused_count"] == 3000 - KEPT_LIMIT
        assert await ended(host, run) is WorkflowExecutionStatus.COMPLETED


def incompressible(size: int) -> str:
    """Return text that packing makes no smaller."""
    return base64.b64encode(random.Random(1).randbytes(size * 3 // 4)).decode()  # noqa: S311 - no secret


def too_large_to_carry(identity: str) -> Plan:
    """A plan whose state cannot be packed into what one message takes."""
    collecting = [act(f"s{n}", args={"noise": f"${{ input.noise + '{n}' }}"}, undo=undo()) for n in range(5)]
    loop = repeat("loop", "tick", "index >= 30")
    return plan(identity, *chain(*collecting, loop), act("tick"))


async def test_state_that_cannot_be_carried_fails_the_run_and_undoes_it(client: Client) -> None:
    """It says what is largest; nothing hangs, and the rollback is complete, in the execution that there is."""
    noise = await asyncio.to_thread(incompressible, 600_000)
    async with hosting(client, library(too_large_to_carry("hoards")), continue_after=60) as host:
        run = await host.start("hoards", {"noise": noise})
        error = await failure_of(run)
        assert error.type == "state-too-large"
        assert "steps.s" in error.message
        assert len([line for line in host.ledger.lines if line.startswith("undo")]) == 5
        assert await ended(host, run) is WorkflowExecutionStatus.FAILED
        assert await executions(run, client) == 1


async def test_too_many_correlated_steps_fail_theirs(client: Client) -> None:
    """Temporal would terminate the run for the search attribute; the step fails instead, and the rest is undone."""
    waiting = receive("one", "go", correlate=template({"invoice": "${ 'INV-' + string(item) }"}))
    steps = chain(act("first", undo=undo()), foreach("each", list(range(200)), "one", concurrency=200))
    async with hosting(client, library(plan("correlates", *steps, waiting, signals=("go",)))) as host:
        run = await host.start("correlates", {})
        error = await failure_of(run)
        assert error.type == "validation"
        assert "2,048" in error.message
        assert host.ledger.lines == ["note first", "undo first/compensate"]
        assert await ended(host, run) is WorkflowExecutionStatus.FAILED


@pytest.mark.parametrize("letters", ["k", "ж"])
async def test_key_that_makes_too_long_an_id_fails_its_step(client: Client, letters: str) -> None:
    """Before Temporal refuses the child for ever."""
    steps = chain(act("first", undo=undo()), child("sub", "named", key=template("${ input.key }")))
    async with hosting(client, library(plan("names", *steps), plan("named", act("x")))) as host:
        run = await host.start("names", {"key": letters * 998})
        error = await failure_of(run)
        assert error.type == "validation"
        assert host.ledger.lines == ["note first", "undo first/compensate"]
        assert await ended(host, run) is WorkflowExecutionStatus.FAILED


async def test_definition_that_starts_itself_comes_to_an_end(client: Client) -> None:
    """A chain of runs, each the child of the one before, ends at a depth, and fails from there back."""
    async with hosting(client, library(plan("selfish", child("again", "selfish", {})))) as host:
        run = await host.start("selfish", {})
        error = await failure_of(run)
        assert error.type == "validation"
        assert str(DEEPEST_RUN) in error.message
        assert await ended(host, run) is WorkflowExecutionStatus.FAILED


async def test_many_children_go_on_in_new_executions(client: Client) -> None:
    """One after the other, however many: the next child waits until the run has continued as new."""
    steps = (foreach("each", list(range(40)), "one", concurrency=2), child("one", "small"))
    async with hosting(client, library(plan("parent", *steps), plan("small", act("x"))), continue_after=60) as host:
        run = await host.start("parent", {})
        last: Run = client.get_workflow_handle(run.id)
        assert len(await last.result()) == 40
        assert await executions(run, client) > 2


async def test_problem_of_any_length_is_told(client: Client) -> None:
    """A detail of a megabyte is cut, and other members that are too large are left out."""
    told: dict[str, Json] = {"type": "broken", "title": "t", "detail": "${ input.text }", "more": "${ input.text }"}
    steps = chain(act("first", undo=undo()), Raise(id="tell", name="tell", error=template(told)))
    async with hosting(client, library(plan("tells", *steps))) as host:
        run = await host.start("tells", {"text": "long " * 220_000})
        error = await failure_of(run)
        assert error.type == "broken"
        assert len(error.message) < 10_000
        assert host.ledger.lines == ["note first", "undo first/compensate"]
        assert await ended(host, run) is WorkflowExecutionStatus.FAILED
