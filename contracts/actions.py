"""What the compiler and the engine know of an action: its name, its schemas, where it runs.

The registry in `activities` makes one `ActionSpec` for each action; the compiler checks `with` against
`input_schema` and the types of expressions against `output_schema` without importing the code behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """The contract of an action.

    Attributes:
        name: As written in `action:`, such as `http.request`.
        summary: One sentence for the list of actions.
        input_schema: JSON Schema of `with`.
        output_schema: JSON Schema of the result.
        local: Whether it runs as a local activity unless the step says otherwise (quick and idempotent).
        attempt_timeout: Seconds an attempt may take unless the step says otherwise.
    """

    name: str
    summary: str = ""
    input_schema: Mapping[str, Any] = field(default_factory=dict)
    output_schema: Mapping[str, Any] = field(default_factory=dict)
    local: bool = False
    attempt_timeout: float = 60.0
