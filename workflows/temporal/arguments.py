"""What a run is started with: one JSON value, and for the product's own continuations what they carry.

People and programs give no argument (`{}`) or exactly one. A continued execution and a slice of a foreach get a
second argument `{"$saga": ...}`; it is believed only from where it can come from, the run's own continue-as-new, a
parent workflow, or a start whose memo says which run it resumes, so no input can be taken for it.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.json import Json, Unusable, encode
from contracts.problems import VALIDATION, Problem
from workflows.engine.commands import Complete
from workflows.engine.events import Slice

PACKED_ABOVE = 256 * 1024
UNPACKED_LIMIT = 256 * 1024 * 1024
"""Bytes; a megabyte can be packed into a kilobyte, and what is to be resumed may come from anybody."""

_CARRIED = "$saga"


@dataclass(frozen=True, slots=True)
class Arguments:
    """The input of a run, and for a continuation its state, or for a slice of a foreach its part.

    `resumption` is set where the run resumes another one, from `state`.
    """

    input: Json
    state: dict[str, Json] | None = None
    slice: Slice | None = None
    resumption: Resumption | None = None


@dataclass(frozen=True, slots=True)
class Resumption:
    """What `events.Resumed` needs besides the state."""

    since: int
    landed: tuple[Json, ...] = ()


class ArgumentsRefusedError(Exception):
    """The run was started with arguments that it cannot take."""

    def __init__(self, problem: Problem) -> None:
        """Carry the problem that the run fails with."""
        self.problem = problem
        super().__init__(problem.detail)


def read_arguments(values: Sequence[Any], *, continued: bool, child: bool, resumes: bool = False) -> Arguments:
    """Return what the arguments of a run mean.

    Args:
        values: The decoded arguments.
        continued: Whether this execution follows another one of the same run.
        child: Whether a parent workflow started it.
        resumes: Whether it was started to resume another run.

    Raises:
        ArgumentsRefusedError: More than one argument, or one that is no JSON.
    """
    carried = _carried(values) if continued or child or resumes else None
    if resumes and (carried is None or _read_state(carried) is None):
        raise unreadable_arguments("its memo says that it resumes a run, and it has no state.")
    if carried is not None:
        return Arguments(values[0], _read_state(carried), _read_slice(carried), _read_resumption(carried))
    if len(values) > 1:
        raise ArgumentsRefusedError(_problem(f"It takes one argument, a JSON value, and got {len(values)}."))
    if values and isinstance(values[0], Unusable):
        raise ArgumentsRefusedError(_problem(f"Its argument cannot be read: {values[0].reason}."))
    return Arguments(values[0] if values else {})


def continuation(value: Json, state: dict[str, Json]) -> list[Json]:
    """Return the arguments of the execution that goes on with `state`; a large one is packed: 2 MiB is the limit."""
    return [value, {_CARRIED: _carried_state(state)}]


def resumption(value: Json, state: dict[str, Json], since: int, landed: Sequence[Json]) -> list[Json]:
    """Return the arguments of a run that goes on with the `state` of another one."""
    return [value, {_CARRIED: _carried_state(state) | {"since": since, "landed": list(landed)}}]


def slice_arguments(value: Json, part: Json) -> list[Json]:
    """Return the arguments of a child that runs one slice of a foreach."""
    return [value, {_CARRIED: {"slice": part}}]


def slice_result(end: Complete) -> Json:
    """Return what a slice's child gives its parent: the results, and what undoes them and what the run must know."""
    answer: dict[str, Json] = {"result": end.result, "armed": list(end.armed)}
    told: dict[str, Json] = {"variables": end.variables, "whole": end.whole}
    return answer | {name: value for name, value in told.items() if value}


def _carried_state(state: dict[str, Json]) -> dict[str, Json]:
    text = encode(state, any_depth=True)
    if len(text) <= PACKED_ABOVE:
        return {"state": state}
    return {"packed_state": base64.b64encode(zlib.compress(text)).decode()}


def _carried(values: Sequence[Any]) -> Mapping[str, Any] | None:
    if len(values) == 2 and isinstance(values[1], Mapping):  # noqa: PLR2004 - the input and what is carried
        carried = values[1].get(_CARRIED)
        return carried if isinstance(carried, Mapping) else None
    return None


def unreadable_arguments(reason: str) -> ArgumentsRefusedError:
    """Return the refusal of a start that says what to go on from, and says it wrong."""
    return ArgumentsRefusedError(_problem(f"What it is to go on from cannot be read: {reason}"))


def _problem(detail: str) -> Problem:
    return Problem(VALIDATION, "The run cannot be started so", 422, detail)


def _read_state(carried: Mapping[str, Any]) -> dict[str, Json] | None:
    packed = carried.get("packed_state")
    if packed is None:
        return carried.get("state")
    unpacking = zlib.decompressobj()
    text = unpacking.decompress(base64.b64decode(packed), UNPACKED_LIMIT)
    if unpacking.unconsumed_tail:
        raise ValueError("it is larger than a state can be")
    state: dict[str, Json] = json.loads(text)
    return state


def _read_resumption(carried: Mapping[str, Any]) -> Resumption | None:
    since = carried.get("since")
    return None if since is None else Resumption(since, tuple(carried.get("landed", ())))


def _read_slice(carried: Mapping[str, Any]) -> Slice | None:
    part = carried.get("slice")
    return None if part is None else Slice(**part)
