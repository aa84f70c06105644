"""What can go wrong while services are started: each error names the part, the place and the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.errors import PermanentError

if TYPE_CHECKING:
    from pathlib import Path


class MissingServiceError(PermanentError):
    """A service that is needed is neither running nor installed."""

    code = "missing-service"


class ServiceFailedError(PermanentError):
    """A service was started but did not become ready, or ended."""

    code = "service-failed"
    reason = "failed"
    """What was seen, without its log: for one line."""

    @classmethod
    def of(cls, part: str, reason: str, log: Path) -> ServiceFailedError:
        """Build the error with the last lines that the service logged.

        Args:
            part: Which service, as shown to people.
            reason: What was seen, as the end of a sentence that starts with the part's name.
            log: The service's log file; it may be missing.
        """
        error = cls(f"{part} {reason}.\nLog: {log}\n{_last_lines(log)}".rstrip())
        error.reason = reason
        return error


class StackInUseError(PermanentError):
    """Another process runs the stack of this state folder."""

    code = "stack-in-use"


class UnusableStateFolderError(PermanentError):
    """The state folder cannot be used."""

    code = "unusable-state-folder"


def _last_lines(log: Path, count: int = 12) -> str:
    if not log.exists():
        return ""
    lines = log.read_text(errors="replace").splitlines()[-count:]
    return "\n".join(f"  | {line[:300]}" for line in lines)
