"""Random definitions that another process can generate again from their seed, and a worker process that runs them."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from store.database import open_database
from tests.workers.projection import AT_ONCE, recorded
from tests.workflows.engine.plans import plans
from tests.workflows.temporal.hosting import BROKEN
from tests.workflows.temporal.plans import LOCAL, act, library, plan, template
from workflows.language.canonical import sealed
from workflows.language.library import Library
from workflows.language.plan import Act, Execution, Pause, Plan

CHILD = plan("other", act("a", action="do", execution=LOCAL))
_SOON = template("10ms")
_SHORT = Execution(attempt_timeout=2)
READY = "ready"


def quick(generated: Plan) -> Plan:
    """The plan without long waits, and with short time-outs of actions."""
    return sealed(replace(generated, nodes={name: _quick(node) for name, node in generated.nodes.items()}))


def _quick(node: Any) -> Any:
    match node:
        case Pause():
            return replace(node, duration=_SOON)
        case Act():
            undo = None if node.undo is None else replace(node.undo, execution=_SHORT)
            return replace(node, execution=_SHORT, undo=undo)
    return node


def generated_library(number: int, count: int) -> Library:
    """Generate so many definitions, `generated-0` and on; the same for the same number, in any process."""
    found: list[Plan] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(generated=plans())
    def generate(generated: Plan) -> None:
        found.append(generated)

    generate()
    named = (sealed(replace(quick(generated), id=f"generated-{place}")) for place, generated in enumerate(found))
    return library(*named, CHILD)


def sometimes_failing(number: int) -> list[Callable[..., Any]]:
    """Actions that always fail for some steps, chosen by the step's path."""

    def result_of(context: dict[str, Any]) -> Any:
        if hashlib.sha256(f"{number}{context['step']}".encode()).digest()[0] % 5 == 0:
            raise ApplicationError(BROKEN.title, BROKEN.to_json(), type=BROKEN.type, non_retryable=True)
        return {"ok": True}

    @activity.defn(name="do")
    async def do(args: Any, context: Any) -> Any:
        return result_of(context)

    @activity.defn(name="undo")
    async def undo(args: Any, context: Any) -> Any:
        return result_of(context)

    return [do, undo]


async def serve(arguments: argparse.Namespace) -> None:
    """Run workflows and record them until the process is killed."""
    client = await Client.connect(arguments.temporal)
    loaded, actions = generated_library(arguments.seed, arguments.count), sometimes_failing(arguments.seed)
    async with (
        open_database(arguments.database) as database,
        recorded(client, database, loaded, queue=arguments.queue, activities=actions, pace=AT_ONCE),
    ):
        print(READY, flush=True)  # for the test that waits
        await asyncio.Event().wait()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser()
    for name in ("--temporal", "--database", "--queue"):
        parser.add_argument(name, required=True)
    for name in ("--seed", "--count"):
        parser.add_argument(name, type=int, required=True)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
