"""Exit codes, and the errors that a command raises to end with one of them.

A command returns nothing (all went well) or raises; `cli.main` alone turns that into a code. Scripts rely on the
numbers, so they stand in one place: 0 ok, 1 the run failed, 2 bad input, 3 a service cannot be reached.
"""

from __future__ import annotations

from enum import IntEnum

from contracts.errors import PermanentError, SagaError


class Exit(IntEnum):
    """What the exit code says."""

    OK = 0
    RUN_FAILED = 1
    BAD_INPUT = 2
    UNREACHABLE = 3
    UNEXPECTED = 70
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class BadInputError(PermanentError):
    """The command cannot be carried out as given."""

    code = "bad-input"

    def __str__(self) -> str:
        """Return the detail alone: it is a full sentence."""
        return self.detail


class ReportedError(SagaError):
    """The command failed, and what it printed says why: nothing is added."""

    code = "reported"

    def __init__(self, exit_code: Exit) -> None:
        """Keep the code with which the process ends."""
        self.exit = exit_code
        super().__init__()

    def __reduce__(self) -> tuple[type[ReportedError], tuple[Exit]]:
        """Keep the exit code when the error is pickled."""
        return type(self), (self.exit,)
