"""The story that `saga demo` tells: an event starts a run, a person approves, a second run fails and is rolled back.

Nothing is staged: the events travel through RabbitMQ and the bridge, the runs are Temporal workflows, the rows are
in PostgreSQL. At each point the tour checks that what it tells is true, so that an unattended tour is a test of the
whole installation.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import click

from bridge.outcomes import Dispatched, Outcome
from cli.deciding import Decision, decide
from cli.output import clean, coloured, print_table
from cli.problems import problem_lines
from cli.progress import Progress, State, failed_step, live
from cli.prompt import ask_yes_or_no
from cli.runs import Ended, Handle, Sight, ended, handle_of, pending_approvals
from cli.system import System
from contracts.envelope import Event
from contracts.errors import PermanentError
from contracts.ports import EventPublisher
from store.agents import agent_of_run, notified_agents

DEFINITION = "agent-creation"
T = TypeVar("T")
_EVENT = "agent.requested"
_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 120


class TourFailedError(PermanentError):
    """The demo did not go as told."""

    code = "demo-failed"


@dataclass
class Arrivals:
    """The runs that the bridge started, by the id of their event; `take` is the bridge's observer."""

    started: dict[str, asyncio.Future[str]] = field(default_factory=dict)

    def expect(self, event_id: str) -> asyncio.Future[str]:
        """Return the future workflow id of the run that an event starts."""
        return self.started.setdefault(event_id, asyncio.get_running_loop().create_future())

    def take(self, outcome: Outcome) -> None:
        """Note what the bridge made of an event."""
        future = self.started.get(outcome.event_id or "")
        if future is None or future.done():
            return
        run = _started(outcome)
        if run is None:
            future.set_exception(TourFailedError(f"The bridge started nothing for the event: {outcome.word}."))
        else:
            future.set_result(run)


@dataclass(frozen=True)
class _Answer:
    yes: bool
    state: State


@dataclass(frozen=True)
class Tour:
    """One telling of the story.

    Attributes:
        system: The system that runs.
        publisher: Publishes the events.
        arrivals: The bridge's observer.
        yes: Whether every question is answered with yes.
    """

    system: System
    publisher: EventPublisher
    arrivals: Arrivals
    yes: bool

    async def tell(self) -> None:
        """Tell the story.

        Raises:
            TourFailedError: Something did not go as told.
        """
        await self._success()
        await self._rollback()

    async def _success(self) -> None:
        _chapter(1, "An event starts a run; a person approves")
        handle = await self._publish({"name": "Ada", "type": "researcher", "cognitive_pattern": "systems"})
        approved = await self._approve(handle, ask=True)
        end = await self._finish(handle, approved.state)
        if approved.yes:
            _expect(end.status == "completed", f"the approved run ended as {end.status}")
            await self._show_rows(handle, there=True)
        else:
            click.echo("You said no, so what the run had done was undone.")
            await self._show_rows(handle, there=False)

    async def _rollback(self) -> None:
        _chapter(2, "A run fails in its middle and is rolled back")
        click.echo("Nobody thinks in the pattern `telepathic`; that is found out only after the record was created.\n")
        handle = await self._publish({"name": "Eve", "type": "researcher", "cognitive_pattern": "telepathic"})
        approved = await self._approve(handle, ask=False)
        end = await self._finish(handle, approved.state)
        _expect(end.status == "compensated", f"the failing run ended as {end.status}")
        await self._show_rows(handle, there=False)

    async def _publish(self, data: dict[str, Any]) -> Handle:
        identity = str(uuid.uuid4())
        data = {"agent_id": f"{data['name'].lower()}-{identity[:4]}", **data}
        event = Event(identity, _EVENT, "1.0", datetime.now(UTC), "saga-demo", data)
        click.echo(f"Published on the exchange `events`: {click.style(_EVENT, fg='cyan')}")
        click.echo(f"  {json.dumps(data)}")
        arrival = self.arrivals.expect(identity)
        await self.publisher.publish(event)
        run = await _in_time(arrival, "the bridge to take the event")
        click.echo(f"The bridge started {click.style(run, bold=True)}")
        if self.system.addresses.ui:
            click.echo(f"  {click.style(self._link(run), underline=True)}")
        click.echo()
        return handle_of(self.system.client, run)

    async def _approve(self, handle: Handle, *, ask: bool) -> _Answer:
        with live(handle.id) as progress:
            state = await _in_time(_until(handle, progress, _is_waiting), "the run to wait for its approval")
        (approval,) = await pending_approvals(handle)
        title = clean(approval["title"])
        click.echo(f"\n{click.style('The run waits for a person:', fg='yellow')} {title}")
        for name, value in (approval["show"] or {}).items():
            click.echo(f"  {name:<10} {value}")
        approved = not ask or await ask_yes_or_no("Approve it?", yes=self.yes)
        if not ask:
            click.echo("The demo approves this one.")
        verb: Literal["approve", "reject"] = "approve" if approved else "reject"
        decision = Decision(handle.id, approval["step"], verb, "user:demo", comment="in the demo")
        await decide(self.system.client, decision)
        click.echo()
        return _Answer(approved, state)

    async def _finish(self, handle: Handle, since: State) -> Ended:
        with live(handle.id, since) as progress:
            state = await _in_time(_until(handle, progress, _has_ended), "the run to end")
        end = await _in_time(ended(handle), "the run to end")
        click.echo(f"\n{click.style(handle.id, bold=True)} {coloured(end.status)}")
        for line in problem_lines(end.problem, failed_step(state)) if end.problem else ():
            click.echo(line)
        return end

    async def _show_rows(self, handle: Handle, *, there: bool) -> None:
        run = (await handle.describe()).run_id
        agent = await agent_of_run(self.system.database, run)
        told = await notified_agents(self.system.database, run)
        click.echo("\nIn PostgreSQL, of this run:")
        if agent is None:
            click.echo("  no row: everything that it had made is gone")
        else:
            row = (agent.agent_id, agent.name, agent.type, agent.cognitive_pattern, "yes" if told else "no")
            print_table(("  saga.agents", "NAME", "TYPE", "PATTERN", "ANNOUNCED"), [(f"  {row[0]}", *row[1:])])
        _expect((agent is not None) == there, "the rows in PostgreSQL are not those of this ending")

    def _link(self, run: str) -> str:
        addresses = self.system.addresses
        return f"{addresses.ui}/namespaces/{addresses.namespace}/workflows/{run.replace('/', '%2F')}"


def _started(outcome: Outcome) -> str | None:
    effects = outcome.result.effects if isinstance(outcome.result, Dispatched) else ()
    return next((effect.workflow_id for effect in effects if effect.kind == "started"), None)


def _chapter(number: int, title: str) -> None:
    click.echo(f"\n{click.style(f'{number}. {title}', bold=True)}\n")


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise TourFailedError(f"Not as told: {otherwise}.")


async def _until(handle: Handle, progress: Progress, reached: Callable[[State], bool]) -> State:
    sight = Sight(handle)
    while True:
        state = await sight.look()
        if state is not None:
            progress.show(state, sight.names or {})
            if reached(state):
                return state
        await asyncio.sleep(_POLL_SECONDS)


def _is_waiting(state: State) -> bool:
    return bool(state["status"] == "waiting") or _has_ended(state)


def _has_ended(state: State) -> bool:
    return bool(state["phase"] == "ended")


async def _in_time(waiting: Awaitable[T], what: str) -> T:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await waiting
    except TimeoutError as error:
        raise TourFailedError(f"Waited {_PATIENCE_SECONDS} s in vain for {what}.") from error
