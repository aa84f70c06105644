"""The errors by which an action says exactly which problem it met."""

from __future__ import annotations

from datetime import timedelta

from contracts.errors import PermanentError, TemporaryError
from contracts.problems import Problem


class PermanentProblemError(PermanentError):
    """The action ended with a problem that a retry cannot help."""

    code = "problem"

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.detail or problem.title)

    def __reduce__(self) -> tuple[type[PermanentProblemError], tuple[Problem]]:
        """Keep the problem when the error is pickled."""
        return type(self), (self.problem,)


class TemporaryProblemError(TemporaryError):
    """The action ended with a problem that may pass."""

    code = "temporary-problem"

    def __init__(self, problem: Problem, delay: timedelta | None = None) -> None:
        self.problem = problem
        super().__init__(problem.detail or problem.title, delay)

    def __reduce__(self) -> tuple[type[TemporaryProblemError], tuple[Problem, timedelta | None]]:  # type: ignore[override]  # the constructor has other arguments
        """Keep problem and delay when the error is pickled."""
        return type(self), (self.problem, self.delay)
