"""Runs that had ended go on, through a real server: what was done is not done again, what was not is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.workflows.temporal.hosting import Host, hosting
from tests.workflows.temporal.plans import act, approval, chain, fork, library, plan, repeat, undo
from tests.workflows.temporal.watching import Run, attributes_of, failure_of, waiting_approval
from workflows.engine.redriving import CannotResumeError
from workflows.language.library import Library
from workflows.language.plan import Plan, SagaPolicy
from workflows.temporal.classes import workflow_classes
from workflows.temporal.replaying import CannotReplayError
from workflows.temporal.resuming import ResumeRequest, carry_out, plan_resumption

REDRIVE, COMPENSATE = ResumeRequest("redrive"), ResumeRequest("compensate")
KEEP = SagaPolicy(on=frozenset())


class Bench:
    """A worker whose definitions can be replaced, and whose test actions can be mended."""

    def __init__(self, client: Client, host: Host, use: Callable[[Library], None]) -> None:
        self.client, self.host, self.use = client, host, use
        self.loaded = host.library

    def load(self, *plans: Plan) -> None:
        """Load other versions."""
        self.loaded = library(*plans)
        self.use(self.loaded)

    @property
    def lines(self) -> list[str]:
        """What the actions did."""
        return self.host.ledger.lines

    async def failed(self, name: str, given: Any = None) -> Run:
        """Start a run and wait until it has failed."""
        handle: Run = await self.host.start(name, given)
        await failure_of(handle)
        return handle

    async def resume(self, handle: Run, request: ResumeRequest = REDRIVE, **more: Any) -> Run:
        """Resume the run and return the new one."""
        ready = await plan_resumption(self.client, self.loaded, handle.id, request, **more)
        return self.client.get_workflow_handle(handle.id, run_id=await carry_out(self.client, ready))


@asynccontextmanager
async def bench(client: Client, *plans: Plan, continue_after: int | None = None) -> AsyncIterator[Bench]:
    """Run a worker inside the block."""
    loaded = [library(*plans)]
    async with hosting(client, loaded[0], later=lambda: loaded[0], continue_after=continue_after) as host:
        yield Bench(client, host, lambda made: loaded.__setitem__(0, made))


async def test_redrive_after_the_definition_was_mended(client: Client) -> None:
    """The new version goes on at the failed step, with the results of the steps before, which are not repeated."""
    first = act("first", args="one")
    old = plan("mended", *chain(first, act("second", action="refuse"), act("third")), saga=KEEP)
    new = plan(
        "mended",
        *chain(first, act("second", args="${ steps.first.output.given }"), act("third")),
        version="1.1.0",
        saga=KEEP,
    )
    async with bench(client, old) as here:
        handle = await here.failed("mended", {"n": 1})
        here.load(old, new)
        again = await here.resume(handle, ResumeRequest("redrive", version="1.1.0"))
        await again.result()
        assert here.lines == ["note first", "refuse second", "note second", "note third"]
        state = await again.query("state")
        assert state["run"]["id"] == again.run_id
        assert state["run"]["origin"]["id"] == handle.first_execution_run_id
        assert state["input"] == {"n": 1}
        assert (await attributes_of(again))["SagaStatus"] == "completed"
        assert (await attributes_of(again))["SagaVersion"].startswith("1.1.0+")
        assert (await again.describe()).id == handle.id
        history = await again.fetch_history()
        await Replayer(
            workflows=workflow_classes(lambda: here.loaded), workflow_runner=UnsandboxedWorkflowRunner()
        ).replay_workflow(history)


async def test_redrive_after_the_action_was_mended(client: Client) -> None:
    """The same version goes on; what failed for certain gets a new key; a run can be redriven more than once."""
    steps = plan("flaky", *chain(act("first"), act("second", action="flaky"), act("third")), saga=KEEP)
    async with bench(client, steps) as here:
        here.host.ledger.refusals = 2
        handle = await here.failed("flaky", {})
        again = await here.resume(handle)
        await failure_of(again)
        last = await here.resume(again)
        await last.result()
        assert here.lines == ["note first", "flaky second", "flaky second", "flaky second", "note third"]
        assert len(set(here.host.ledger.keys["second"])) == 3
        assert (await last.query("state"))["run"]["origin"]["id"] == handle.first_execution_run_id


async def test_redrive_of_a_compensated_run_does_what_was_undone_again(client: Client) -> None:
    """It begins at the first step that was undone; steps before it, which had nothing to undo, stay."""
    steps = chain(act("look"), act("charge", undo=undo()), act("pack", undo=undo()), act("send", action="flaky"))
    async with bench(client, plan("order", *steps)) as here:
        here.host.ledger.refusals = 1
        handle = await here.failed("order", {})
        assert (await attributes_of(handle))["SagaStatus"] == "compensated"
        before = len(here.lines)
        again = await here.resume(handle)
        await again.result()
        assert here.lines[before:] == ["note charge", "note pack", "flaky send"]
        assert len(set(here.host.ledger.keys["charge"])) == 2


async def test_redrive_keeps_what_other_branches_did(client: Client) -> None:
    """A branch that was done stays done; one that was cancelled is carried out, with the key that it had."""
    nodes = (
        fork("all", {"left": "quick", "right": "slow", "wrong": "breaks"}, next="last"),
        act("quick"),
        act("slow", action="hang"),
        act("breaks", action="refuse_once_hanging"),
        act("last"),
    )
    async with bench(client, plan("branches", *nodes, saga=KEEP)) as here:
        handle = await here.failed("branches", {})
        assert sorted(here.lines) == ["hang slow", "note quick", "refuse breaks"]
        here.host.ledger.is_mended = True
        again = await here.resume(handle)
        await again.result()
        assert sorted(here.lines[3:]) == ["hang slow", "mended breaks", "note last"]
        assert len(set(here.host.ledger.keys["slow"])) == 1
        assert len(set(here.host.ledger.keys["breaks"])) == 2


async def test_redrive_from_a_step(client: Client) -> None:
    """What that step and later ones did is dropped; a step that was not reached is refused with those that were."""
    steps = chain(act("first"), act("second"), act("third", action="flaky"), act("fourth"))
    async with bench(client, plan("from", *steps, saga=KEEP)) as here:
        here.host.ledger.refusals = 1
        handle = await here.failed("from", {})
        with pytest.raises(CannotResumeError, match=r"has not reached a step `fourth`.*`first`, `second`, `third`"):
            await here.resume(handle, ResumeRequest("redrive", "fourth"))
        again = await here.resume(handle, ResumeRequest("redrive", "second"))
        await again.result()
        assert here.lines[3:] == ["note second", "flaky third", "note fourth"]
        assert len(set(here.host.ledger.keys["second"])) == 1


async def test_rejected_approval_is_asked_again(client: Client) -> None:
    """A redriven run waits at the approval that was rejected, with nobody's decision."""
    async with bench(client, plan("asks", *chain(act("first"), approval("allow"), act("last")))) as here:
        handle = await here.host.start("asks", {})
        await waiting_approval(handle)
        await handle.execute_update("decide", {"step": "allow", "decision": "reject", "approver": "alice"})
        await failure_of(handle)
        again = await here.resume(handle)
        await waiting_approval(again)
        await again.execute_update("decide", {"step": "allow", "decision": "approve", "approver": "alice"})
        await again.result()
        assert here.lines == ["note first", "note last"]


async def test_cancelled_and_terminated_runs_go_on(client: Client) -> None:
    """Who stopped a run can have it go on; what was in flight is started with the key that it had."""
    async with bench(client, plan("stopped", *chain(act("first"), act("second", action="hang")))) as here:
        handle = await here.host.start("stopped", {})
        await here.host.ledger.hanging.wait()
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        here.host.ledger.hanging.clear()
        again = await here.resume(handle)
        await here.host.ledger.hanging.wait()
        await again.terminate()
        here.host.ledger.is_mended = True
        await (await here.resume(again)).result()
        assert here.lines == ["note first", "hang second", "hang second", "hang second"]
        assert len(set(here.host.ledger.keys["second"])) == 1


async def test_terminated_run_is_undone(client: Client) -> None:
    """What it did, and what was in flight and may have had its effect; then it can be redriven."""
    steps = chain(act("charge", undo=undo()), act("send", action="hang", undo=undo()))
    async with bench(client, plan("killed", *steps)) as here:
        handle = await here.host.start("killed", {})
        await here.host.ledger.hanging.wait()
        await handle.terminate()
        again = await here.resume(handle, COMPENSATE)
        await failure_of(again)
        assert (await attributes_of(again))["SagaStatus"] == "compensated"
        assert here.lines[-2:] == ["undo send/compensate", "undo charge/compensate"]
        with pytest.raises(CannotResumeError, match="nothing left to undo"):
            await here.resume(again, COMPENSATE)
        here.host.ledger.is_mended = True
        await (await here.resume(again)).result()


async def test_incomplete_rollback_is_finished(client: Client) -> None:
    """What could not be undone is undone, and nothing else; then the run can be redriven."""
    steps = chain(
        act("charge", undo=undo("flaky", {"card": 1})), act("pack", undo=undo()), act("send", action="refuse")
    )
    mended = chain(act("charge", undo=undo("flaky")), act("pack", undo=undo()), act("send"))
    old, new = plan("back", *steps), plan("back", *mended, version="2.0.0")
    async with bench(client, old) as here:
        here.host.ledger.refusals = 1
        handle = await here.failed("back", {})
        assert (await attributes_of(handle))["SagaStatus"] == "rollback-incomplete"
        before = len(here.lines)
        with pytest.raises(CannotResumeError, match=r"not complete \(charge\): finish it with `saga compensate back/"):
            await here.resume(handle)
        again = await here.resume(handle, COMPENSATE)
        error = await failure_of(again)
        assert here.lines[before:] == ["flaky charge/compensate"]
        assert here.host.ledger.given[-1] == {"card": 1}
        assert (error.details[0]["saga_status"], error.details[0]["undone"]) == ("compensated", ["pack", "charge"])
        assert (await attributes_of(again))["SagaStatus"] == "compensated"
        with pytest.raises(CannotResumeError, match="nothing left to undo"):
            await here.resume(again, COMPENSATE)
        here.load(old, new)
        await (await here.resume(again, ResumeRequest("redrive", version="2.0.0"))).result()
        assert here.lines[before + 1 :] == ["note charge", "note pack", "note send"]


async def test_long_run_goes_on_after_continue_as_new(client: Client) -> None:
    """The past of a run is that of all its executions, and a resumed run may continue as new."""
    loop = repeat("loop", "one", "index >= 11", next="last")
    steps = (loop, act("one"), act("last", action="flaky"))
    async with bench(client, plan("long-again", *steps, saga=KEEP), continue_after=30) as here:
        here.host.ledger.refusals = 1
        handle = await here.failed("long-again", {"n": 1})
        again = await here.resume(handle, ResumeRequest("redrive", "loop[4]/one"), continue_after=30)
        await again.result()
        assert here.lines[13:] == [f"note loop[{n}]/one" for n in range(4, 12)] + ["flaky last"]
        assert len(set(here.host.ledger.keys["loop[4]/one"])) == 1


async def test_two_who_redrive_at_once_start_one_run(client: Client) -> None:
    """Both get the same run; later the ended one is not resumed again."""
    steps = plan("twice", *chain(act("first"), act("second", action="flaky"), approval("allow")), saga=KEEP)
    async with bench(client, steps) as here:
        here.host.ledger.refusals = 1
        handle = await here.failed("twice", {})
        ready = await plan_resumption(client, here.loaded, handle.id, REDRIVE)
        runs = await asyncio.gather(*(carry_out(client, ready) for _ in range(3)))
        [again_id] = set(runs)
        again = client.get_workflow_handle(handle.id)
        with pytest.raises(CannotResumeError, match="is running"):
            await here.resume(handle)
        await waiting_approval(again)
        await again.execute_update("decide", {"step": "allow", "decision": "approve", "approver": "alice"})
        await again.result()
        with pytest.raises(CannotResumeError, match="has completed"):
            await here.resume(handle)
        assert await carry_out(client, ready) == again_id
        assert here.lines == ["note first", "flaky second", "flaky second"]


async def test_version_that_does_not_fit_is_refused(client: Client) -> None:
    """What is not there, or is something else, is named; a version that nobody has loaded is refused."""
    old = plan("fits", *chain(act("first"), act("second", action="refuse")), saga=KEEP)
    other = plan("fits", act("first"), version="2.0.0")
    async with bench(client, old, other) as here:
        handle = await here.host.start("fits@1.0.0", {})
        await failure_of(handle)
        with pytest.raises(CannotResumeError, match=r"stands at step `second`, which 2\.0\.0 does not have"):
            await here.resume(handle, ResumeRequest("redrive", version="2.0.0"))
        with pytest.raises(CannotResumeError, match=r"no version 3\.0\.0\. There is 2\.0\.0, 1\.0\.0"):
            await here.resume(handle, ResumeRequest("redrive", version="3.0.0"))
        here.load(other)
        with pytest.raises(CannotReplayError, match="not loaded"):
            await here.resume(handle)


async def test_arguments_alone_resume_nothing(client: Client) -> None:
    """Who starts a run with a made-up state, but without the memo, is refused as before."""
    async with bench(client, plan("forged", act("first"))) as here:
        error = await failure_of(await here.host.start("forged", {}, {"$saga": {"state": {}, "since": 1}}))
        assert error.type == "validation"
        assert here.lines == []
