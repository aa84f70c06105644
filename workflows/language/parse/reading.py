"""What the parser of a step type gets: its keys, what all steps share, and a way to read the steps inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from workflows.language.nodes import AnyStep, Handler, Seconds, Text
from workflows.language.nodes import Condition as Bare
from workflows.language.parse.fields import Fields
from workflows.language.tree import Position, Table, Tree

ReadSteps = Callable[[Tree, str], tuple[AnyStep, ...]]


class Common(TypedDict):
    """The keys of every step, by the names of `nodes.Step`."""

    id: Text
    at: Position
    pointer: str
    tree: Table
    name: Text | None
    condition: Bare | None
    handlers: tuple[Handler, ...]
    timeout: Seconds | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A step that is being read; `next` is not in `common` because some types use it up."""

    fields: Fields
    common: Common
    next: tuple[Text, ...]
    read_steps: ReadSteps

    def single_next(self) -> tuple[Text, ...]:
        """Return `next` for a step that has one successor; notes what is too much."""
        if len(self.next) > 1:
            message = f"{self.fields.what} has one successor, not {len(self.next)}"
            self.fields.error(self.next[1].at, "several-next", message, "take a parallel step to go several ways")
        return self.next[:1]

    def body(self, name: str) -> tuple[AnyStep, ...]:
        """Return the required list of steps under the key `name`."""
        self.fields.need(name, "a list of steps")
        return self.optional_body(name)

    def optional_body(self, name: str) -> tuple[AnyStep, ...]:
        """Return the list of steps under the key `name`; none where it was not given."""
        value = self.fields.tree(name)
        return () if value is None else self.inside(value, name)

    def inside(self, value: Tree, *path: str | int) -> tuple[AnyStep, ...]:
        """Return the list of steps `value`, which stands at `path` below this step."""
        tokens = [str(part).replace("~", "~0").replace("/", "~1") for part in path]
        return self.read_steps(value, "/".join((self.common["pointer"], *tokens)))
