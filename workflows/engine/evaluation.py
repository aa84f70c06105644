"""What expressions see of a run, and what becomes of one that fails.

`now` is workflow time, `uuid()` is derived from the run's id and a counter in the state, and there is no other source
of anything: the same events give the same values in every process.

Whatever data does to what works with it (an expression, a schema, a conversion) is the problem of its step. An
exception that nobody thought of must not be an exception to that: it would fail the run's workflow task for ever. So
there is a net where data is touched, `evaluate` and `touching`, and none around the engine's own rules.
"""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from contracts.json import Json, NotJsonError, encode
from contracts.problems import EXPRESSION, Problem
from contracts.sizes import excess, too_large
from workflows.engine.state import Frame, State
from workflows.language.expressions.cel import Expression
from workflows.language.expressions.model import ExpressionFailure
from workflows.language.expressions.template import Template, rendering_of

_log = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN_LIMIT = 200
_NOT_RUN: dict[str, Json] = {"output": None, "status": "not-run", "error": None}


class EvaluationError(Exception):
    """An expression failed; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.detail)


@dataclass(slots=True)
class View:
    """What an expression at one place of a run may see; `extra` holds the names of that place only, such as `event`."""

    state: State
    frame: Frame
    extra: dict[str, Json] = field(default_factory=dict)

    def root(self, name: str) -> object:
        """Return the value of a name in scope; KeyError when it is not."""
        if name in self.extra:
            return self.extra[name]
        fixed = _ROOTS.get(name)
        return self._lookup(name) if fixed is None else fixed(self)

    def step(self, name: str) -> object:
        """Return output, status and error of the nearest step of that name; `not-run` where it has not run."""
        scope = self.state.scopes.get(self.frame.scope)
        while scope is not None:
            found = scope.steps.get(name)
            if found is not None:
                return found
            scope = None if scope.parent is None else self.state.scopes[scope.parent]
        return _NOT_RUN

    def uuid(self) -> str:
        """Return the run's next uuid."""
        self.state.uuids += 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.state.run['id']}/{self.state.uuids}"))

    def problem(self) -> Json:
        """Return the problem that brought the path here, or KeyError."""
        frame: Frame | None = self.frame
        while frame is not None:
            if frame.error is not None:
                return frame.error
            frame = None if frame.parent is None else self.state.frames[frame.parent]
        raise KeyError("error")

    def run(self) -> dict[str, object]:
        """Return what `run` holds; `started_at` is a timestamp."""
        run = about_run(self.state)
        started = run["started_at"]
        assert isinstance(started, int)
        return {
            "id": run["id"],
            "key": run["key"],
            "definition": self.state.definition,
            "version": self.state.version,
            "started_at": moment(started),
        }

    def _lookup(self, name: str) -> Json:
        scope = self.state.scopes.get(self.frame.scope)
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = None if scope.parent is None else self.state.scopes[scope.parent]
        raise KeyError(name)


_ROOTS: dict[str, Callable[[View], object]] = {
    "input": lambda view: view.state.input,
    "vars": lambda view: view.state.vars,
    "run": View.run,
    "now": lambda view: moment(view.state.now),
    "error": View.problem,
}


def about_run(state: State) -> dict[str, Json]:
    """Return id, key and start of what `run` stands for: the run that this one is a part of, or resumes."""
    own = {name: state.run[name] for name in ("id", "key", "started_at")}
    around = state.run.get("origin") if state.slice is None else state.slice.get("run")
    return own | around if isinstance(around, dict) else own


def moment(milliseconds: int) -> datetime:
    """Return the moment as an aware datetime in UTC."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds(value: datetime) -> int:
    """Return an aware datetime as milliseconds since the epoch."""
    return (value - _EPOCH) // timedelta(milliseconds=1)


def evaluate(view: View, what: Expression | Template) -> Json:
    """Evaluate an expression or template.

    Raises:
        EvaluationError: It failed; the problem says why.
    """
    try:
        return _as_json(what.evaluate(view))
    except ExpressionFailure as failure:
        raise EvaluationError(expression_problem(str(failure))) from failure
    except NotJsonError as error:
        raise EvaluationError(expression_problem(f"What it gave is no JSON: {error}.")) from error
    except MemoryError:
        raise
    except Exception as error:
        raise _unforeseen(error) from error


@contextmanager
def touching() -> Iterator[None]:
    """Work with a step's data inside the block.

    Raises:
        EvaluationError: What was raised there, which nobody foresaw.
    """
    try:
        yield
    except (EvaluationError, MemoryError):
        raise
    except Exception as error:
        raise _unforeseen(error) from error


def _as_json(value: Json) -> Json:
    """Return a value that can be kept and sent; what is plainly JSON is not written to find out.

    Raises:
        NotJsonError: It holds what no JSON can.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            encode(value)
    elif isinstance(value, dict | list) or (isinstance(value, str) and not value.isascii()):
        encode(value)
    return value


def _unforeseen(error: Exception) -> EvaluationError:
    # The error's words may hold the run's data, which belong into no log; the problem in the run has them.
    _log.error("A step's data raised %s", type(error).__name__)
    return EvaluationError(expression_problem(f"{type(error).__name__}: {str(error)[:_SHOWN_LIMIT]}"))


def holds(view: View, condition: Expression) -> bool:
    """Evaluate a condition; anything but true or false is an error.

    Raises:
        EvaluationError: It failed or gave no boolean.
    """
    value = evaluate(view, condition)
    if isinstance(value, bool):
        return value
    raise EvaluationError(
        expression_problem(f"The condition `{condition.text}` gave {shown(value)}, not true or false.")
    )


def shown(value: Json) -> str:
    """Return a value as an author writes it, for a message; the beginning of a long one."""
    text = f'"{value}"' if isinstance(value, str) else "null" if value is None else rendering_of(value)
    return text if len(text) <= _SHOWN_LIMIT else f"{text[:_SHOWN_LIMIT]}…"


def fitting(value: Json, what: str) -> Json:
    """Return `value`, which is about to be sent.

    Raises:
        EvaluationError: It is larger than Temporal takes.
    """
    try:
        size = excess(value)
    except NotJsonError as error:
        raise EvaluationError(expression_problem(f"{what} cannot be sent: {error}.")) from error
    if size is None:
        return value
    detail = f"{too_large(what, size)} Send less, or where it can be fetched."
    raise EvaluationError(Problem(EXPRESSION, "A value is too large", 413, detail))


def expression_problem(detail: str) -> Problem:
    """Return the problem of an expression that failed."""
    return Problem(EXPRESSION, "An expression failed", 422, detail)
