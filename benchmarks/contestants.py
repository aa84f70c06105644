"""The two contestants: definitions for the product, and the same workflows written by hand.

Both carry out the same activities (`data.transform`, with its validation) with the same arguments on the same server;
each has a worker in a process of its own (`benchmarks.overhead_workers`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio import workflow

from activities.registry import catalog
from workflows.language.compiler import compile_sources
from workflows.language.library import Library

WINDOW = 50
_STEP = "  - {{id: s{n}, action: data.transform, run: {run}, with: {{value: {{n: '${{ {source}.n + 1 }}'}}}}}}\n"
_MINUTE = timedelta(seconds=60)
_CONTEXT: dict[str, Any] = {
    "definition": "hand",
    "version": "1.0.0",
    "run": "hand",
    "workflow_id": "hand",
    "step": "step",
    "idempotency_key": "hand/step",
}


def library() -> Library:
    """Compile the benchmark's definitions."""
    step = "      b{n}: [{{id: p{n}, action: data.transform, run: remote, with: {{value: {{n: {n}}}}}}}]\n"
    branches = "".join(step.format(n=n) for n in range(10))
    sources = {
        "remote.yaml": _three("remote", "remote"),
        "local.yaml": _three("local", "local"),
        "parallel.yaml": f"id: parallel\nversion: 1.0.0\nsteps:\n  - id: all\n    branches:\n{branches}",
        "foreach.yaml": (
            f"id: foreach\nversion: 1.0.0\nsteps:\n  - id: each\n    type: foreach\n    items: ${{ input.items }}\n"
            f"    concurrency: {WINDOW}\n    steps:\n"
            "      - {id: one, action: data.transform, run: remote, with: {value: '${ item }'}}\n"
        ),
        "waiting.yaml": _waiting(),
    }
    compilation = compile_sources(sources, catalog())
    if compilation.library is None:
        raise SystemExit("\n".join(str(diagnostic) for diagnostic in compilation.diagnostics))
    return compilation.library


def _three(name: str, run: str) -> str:
    sources = ("input", "steps.s0.output", "steps.s1.output")
    steps = "".join(_STEP.format(n=n, run=run, source=source) for n, source in enumerate(sources))
    return f"id: {name}\nversion: 1.0.0\nsteps:\n{steps}"


def _waiting() -> str:
    return "id: waiting\nversion: 1.0.0\nsteps:\n  - {id: ask, type: approval, title: Go on?}\n"


async def _step(value: Any, name: str) -> Any:
    return await workflow.execute_activity(
        "data.transform",
        args=[{"value": value}, _CONTEXT],
        start_to_close_timeout=_MINUTE,
        activity_id=name,
        summary=name,
    )


@workflow.defn(name="hand-remote", sandboxed=False)
class HandRemote:
    """Three remote activities in a row."""

    @workflow.run
    async def run(self, given: dict[str, Any]) -> Any:
        """Add one, three times."""
        for name in ("s0", "s1", "s2"):
            given = await _step({"n": given["n"] + 1}, name)
        return given


@workflow.defn(name="hand-parallel", sandboxed=False)
class HandParallel:
    """Ten remote activities at once."""

    @workflow.run
    async def run(self, given: dict[str, Any]) -> Any:
        """Gather ten."""
        return await asyncio.gather(*(_step({"n": n}, f"p{n}") for n in range(10)))


@workflow.defn(name="hand-foreach", sandboxed=False)
class HandForeach:
    """Many remote activities in a window."""

    @workflow.run
    async def run(self, given: dict[str, Any]) -> Any:
        """Carry out one activity for each item, 50 at a time."""
        room = asyncio.Semaphore(WINDOW)

        async def one(index: int, item: Any) -> Any:
            async with room:
                return await _step(item, f"each[{index}]/one")

        return await asyncio.gather(*(one(index, item) for index, item in enumerate(given["items"])))


HAND: Sequence[type] = (HandRemote, HandParallel, HandForeach)
