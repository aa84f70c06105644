"""Tell what each dispatch of an event did before, from the effects that the event log has of it. Pure.

A request id says which trigger it was by its place in the definition. A definition that was mended may have its
triggers at other places: then the request id of one is that of its neighbour. So an effect is told first by request
id and target, then by target alone, and last by request id alone: that is a trigger whose key was changed, which had
its effect, if at another run. Each effect counts for one dispatch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from bridge.dispatches import CancelDispatch, CorrelateDispatch, Dispatch, SignalDispatch, StartDispatch
from contracts.json import Json

_Effects = Mapping[str, Json]
_Fits = Callable[[Dispatch, str, Mapping[str, Json]], bool]


def done_before(dispatches: Iterable[Dispatch], done: _Effects) -> dict[str, Mapping[str, Json]]:
    """Return what was done before, by the request id that a dispatch has now.

    Args:
        dispatches: What an event asks for.
        done: What is on record, by request id: `{"kind", "workflow_id", "run_id"}`.

    Returns:
        Entries of `done`, each with `request_id`, by which it is on record.
    """
    left = {request: entry for request, entry in done.items() if isinstance(entry, dict)}
    waiting, found = list(dispatches), dict[str, Mapping[str, Json]]()
    for fits in (_is_same, _has_target, _has_request):
        for dispatch in waiting:
            request = next((one for one, entry in left.items() if fits(dispatch, one, entry)), None)
            if request is not None:
                found[dispatch.request_id] = {**left.pop(request), "request_id": request}
        waiting = [dispatch for dispatch in waiting if dispatch.request_id not in found]
    return found


def _is_same(dispatch: Dispatch, request: str, entry: _Effects) -> bool:
    return _has_request(dispatch, request, entry) and _has_target(dispatch, request, entry)


def _has_request(dispatch: Dispatch, request: str, _: _Effects) -> bool:
    return request == dispatch.request_id


def _has_target(dispatch: Dispatch, _: str, entry: _Effects) -> bool:
    if entry.get("kind") not in _kinds(dispatch):
        return False
    run = str(entry.get("workflow_id"))
    if isinstance(dispatch, CorrelateDispatch) and run.startswith(f"{dispatch.asker.definition}/"):
        return True  # of a correlated message to one run the log has the run, and no longer by what it was found
    return run == dispatch.target


def _kinds(dispatch: Dispatch) -> tuple[str, ...]:
    match dispatch:
        case StartDispatch(if_running="signal"):
            return ("started", "already-started", "signalled")
        case StartDispatch():
            return ("started", "already-started")
        case SignalDispatch() | CorrelateDispatch():
            return ("signalled", "dropped", "held")
        case CancelDispatch():
            return ("cancelled", "dropped", "held")
