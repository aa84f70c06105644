"""What expressions are evaluated against, and how they complain.

`Bindings` is a protocol so that the engine can hand its state over without building a dictionary of everything: an
evaluation asks only for the roots and steps that it refers to. Both errors carry data and pickle; neither knows of
problem documents or diagnostics, which are made of them by whoever knows the file or the run.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

ROOTS = frozenset({"input", "vars", "item", "index", "event", "error", "run", "now"})
"""The names that every expression may use; whether one has a value is known when it runs."""

STEPS = "steps"


class Bindings(Protocol):
    """The values that an expression may see."""

    def root(self, name: str) -> object:
        """Give the JSON value of a root; `now` and `run.started_at` are aware datetimes. KeyError: not in scope."""

    def step(self, name: str) -> object:
        """Give a step's `output`, `status` and `error` by its underscore name. KeyError: it has not run."""

    def uuid(self) -> str:
        """Give the run's next deterministic UUID."""


@dataclass(frozen=True)
class Reference:
    """A place that an expression reads: `steps.quote.output.total` is root `steps` and the path below it.

    The path ends before the first index that is not constant. The offset is counted in characters.
    """

    root: str
    path: tuple[str, ...]
    offset: int


@dataclass(frozen=True)
class Finding:
    """A complaint about an expression that has not run; offset and length are characters of its text.

    In a template the offset counts in the string that the JSON pointer names; for a bare expression the pointer is "".
    """

    offset: int
    length: int
    message: str
    hint: str | None = None
    pointer: str = ""


class ExpressionErrors(ValueError):  # noqa: N818 - it carries all complaints of one text
    """The expression or template cannot be compiled; correct each finding."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """Keep the findings in the order of the text."""
        self.findings = tuple(findings)
        super().__init__("; ".join(finding.message for finding in self.findings))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the findings."""
        return type(self), (self.findings,)


class ExpressionFailure(Exception):  # noqa: N818 - the plan and the docs speak of a failed expression
    """The expression has no value for this data; the message says what was missing or did not fit."""

    def __init__(self, text: str, message: str, hint: str | None = None) -> None:
        """Keep the expression's text beside the reason."""
        self.text = text
        self.message = message
        self.hint = hint
        super().__init__(message if hint is None else f"{message} ({hint})")

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by what it was made from."""
        return type(self), (self.text, self.message, self.hint)
