"""Whose fault an error is: the event's, or ours.

An event ends as a dead letter at once only for what is wrong with itself, or with what its triggers ask for: a retry
cannot help it. What is wrong with us or with a service of ours (a statement that PostgreSQL refuses, an account that
was locked, a bug) is never its fault: it waits and is tried again for hours, with an alarm. Should that be in vain it
is put aside after all, so that its key goes on, under a code that says whose error it is. Pure.
"""

from __future__ import annotations

from typing import Final

from bridge.errors import BrokerRefusedError, BrokerTooOldError, InternalError, TopologyMismatchError
from contracts.errors import PermanentError, TemporaryError
from store.errors import AccessRefusedError, MigrationChangedError, StatementRefusedError
from workflows.temporal.errors import TemporalAccessError

_OF_OUR_SERVICES: Final = (
    StatementRefusedError,
    AccessRefusedError,
    MigrationChangedError,
    TemporalAccessError,
    BrokerRefusedError,
    BrokerTooOldError,
    TopologyMismatchError,
    InternalError,
)

BUG: Final = "bug"


def is_ours(error: BaseException) -> bool:
    """Tell whether an error is ours; what a service that is away makes of a request is no error of anybody's."""
    return isinstance(error, _OF_OUR_SERVICES) or not isinstance(error, PermanentError | TemporaryError)


def code_of(error: BaseException) -> str:
    """Return the word by which an error of ours is counted: its code, or `bug`."""
    return error.code if isinstance(error, PermanentError | TemporaryError) else BUG
