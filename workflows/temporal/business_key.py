"""The business key of a run that is started without one: the definition's `key`, evaluated over the input."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.errors import PermanentError
from contracts.json import Json
from workflows.language.expressions.model import ExpressionFailure
from workflows.language.plan import Plan


class KeyRefusedError(PermanentError):
    """The definition's `key` gives no key for this input: correct the input, or give a key."""

    code = "key-refused"


@dataclass(frozen=True, slots=True)
class _InputOnly:
    """The run does not exist yet, so its input is all that there is to see."""

    input: Json

    def root(self, name: str) -> object:
        if name == "input":
            return self.input
        raise KeyError(name)

    def step(self, name: str) -> object:
        raise KeyError(name)

    def uuid(self) -> str:
        raise KeyRefusedError("It uses `uuid()`, which belongs to a run; a key must follow from the input.")


def business_key(plan: Plan, given: Json) -> str | None:
    """Return the key that the plan makes of the input, or None: it has no `key`.

    Raises:
        KeyRefusedError: It has no value for this input, or one that is neither text nor a number.
    """
    if plan.key is None:
        return None
    try:
        value = plan.key.evaluate(_InputOnly(given))
    except ExpressionFailure as failure:
        raise KeyRefusedError(str(failure)) from failure
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise KeyRefusedError(f"It gave {value!r}, which is neither text nor a number.")
    return str(value)
