"""What is wrong with a broker or with the operator's file, found at start: a retry cannot help."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.errors import PermanentError
from workflows.language.diagnostics import Diagnostic


class InvalidTopologyError(PermanentError):
    """The topology cannot be read; correct the file."""

    code = "invalid-topology"

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Keep the findings; the message has each with its file and line."""
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(("", *(_line(each) for each in self.diagnostics))))

    def __reduce__(self) -> tuple[type[InvalidTopologyError], tuple[tuple[Diagnostic, ...]]]:
        """Keep the findings when the error is pickled."""
        return type(self), (self.diagnostics,)


def _line(found: Diagnostic) -> str:
    hint = f" ({found.hint})" if found.hint else ""
    return f"  {found.file}:{found.line}:{found.column}: {found.message}{hint}"
