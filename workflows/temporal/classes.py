"""The workflow classes: one for each definition, one for each of its versions, one for all that is deployed later.

A definition is its own workflow type, so that Temporal's UI, CLI and metrics show it by its name. The dynamic class
serves the types that were not known when the worker started; what they mean is looked up when a run begins, so new
definitions need no restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from contracts.json import Json
from contracts.names import SIGNAL_APPROVE, SIGNAL_REJECT
from workflows.language.plan import Plan, Receive
from workflows.temporal.run import LibrarySource, SagaRun, decoded

_TAKEN = frozenset({SIGNAL_APPROVE, SIGNAL_REJECT})


def workflow_classes(source: LibrarySource, *, continue_after: int | None = None) -> list[type]:
    """Return the workflow classes for a worker.

    Args:
        source: Gives the current library; its names now are the classes' names.
        continue_after: Continue as new after so many events; None = when the server suggests it. A run replays by it,
            so all workers must agree on it for ever.
    """
    shared = {"source": staticmethod(source), "continue_after": continue_after}
    library = source()
    known = ((name, library.resolve(name)) for name in library.type_names())
    named = [_named_class(name, definition.plan, shared) for name, definition in known if definition is not None]
    return [*named, _dynamic_class(shared)]


def _named_class(name: str, plan: Plan, shared: dict[str, Any]) -> type:
    class Named(SagaRun):
        @workflow.init
        def __init__(self, *arguments: Any) -> None:
            self._open(arguments)

        async def run(self, *arguments: Any) -> Json:
            return await self._walk()

    handlers = {f"signal_{number}": _signal(*signal) for number, signal in enumerate(_signals(plan))}
    described = {"__doc__": plan.description or plan.name}
    return workflow.defn(name=name, sandboxed=False)(_finished(Named, name, shared | handlers | described))


def _dynamic_class(shared: dict[str, Any]) -> type:
    class Later(SagaRun):
        @workflow.init
        def __init__(self, arguments: Sequence[RawValue]) -> None:
            self._open(decoded(arguments))

        async def run(self, arguments: Sequence[RawValue]) -> Json:
            return await self._walk()

    return workflow.defn(dynamic=True, sandboxed=False)(_finished(Later, Later.__name__, shared))


def _finished(made: type[SagaRun], name: str, members: dict[str, Any]) -> type[SagaRun]:
    """Name the class and its `run` as if they stood in this module: the SDK refuses what is local to a function."""
    made.__name__ = made.__qualname__ = name
    run = vars(made)["run"]
    run.__qualname__ = f"{name}.run"
    workflow.run(run)
    for member, value in members.items():
        setattr(made, member, value)
    return made


def _signals(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield each signal that a step waits for, with its description."""
    for name in plan.signals:
        if name not in _TAKEN:
            waiting = [node.name for node in plan.nodes.values() if isinstance(node, Receive) and node.signal == name]
            yield name, f"Awaited by: {', '.join(waiting)}" if waiting else "Awaited by a step"


def _signal(name: str, description: str) -> Callable[..., None]:
    def handler(self: SagaRun, *values: Any) -> None:
        self._signal(name, values)

    return workflow.signal(name=name, description=description)(handler)
