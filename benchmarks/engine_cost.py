"""What one event costs the engine, without a server."""

from __future__ import annotations

import statistics
import time

from contracts.actions import ActionSpec
from workflows.engine.advance import advance, new_state
from workflows.engine.events import Begun, Done, Event, RunInfo
from workflows.language.compiler import compile_sources
from workflows.language.plan import Plan

ROUNDS = 40


def advance_microseconds(steps: int) -> float:
    """Return the median CPU of an event of a run of `steps` steps, each with arguments and a compensation."""
    plan = _plan(steps)
    costs: list[float] = []
    for _ in range(ROUNDS):
        costs += _run(plan, steps)
    return statistics.median(costs) * 1e6


def _plan(steps: int) -> Plan:
    text = "id: p\nversion: 1.0.0\nsteps:\n" + "".join(_step(number) for number in range(steps))
    compilation = compile_sources({"p.yaml": text}, {"do": ActionSpec("do")})
    if compilation.library is None:
        raise SystemExit(str(compilation.diagnostics))
    return compilation.library.all()[0].plan


def _step(number: int) -> str:
    source = "input" if number == 0 else f"steps.s{number - 1}.output"
    undo = f"{{action: do, with: {{n: '${{ steps.s{number}.output.n }}'}}}}"
    return f"  - {{id: s{number}, action: do, with: {{n: '${{ {source}.n + 1 }}'}}, compensate: {undo}}}\n"


def _run(plan: Plan, steps: int) -> list[float]:
    state, costs = new_state(plan), []
    event: Event = Begun(1000, RunInfo("r", "p/1", "1"), {"n": 1})
    for number in range(steps + 1):
        began = time.process_time()
        state, _ = advance(plan, state, event)
        costs.append(time.process_time() - began)
        event = Done(2000 + number, f"s{number}", {"n": number + 2})
    return costs
