"""What every rule is given, and what a rule is.

A rule is a function from a `Context` to diagnostics, together with the codes that it may report and a sentence for
each. Rules do not know each other and never stop at the first finding. The context holds what several of them need
(steps by id, the list that each step stands in, the flow), worked out once for a definition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from contracts.actions import ActionSpec
from workflows.language import nodes
from workflows.language.check.compiling import Compiled, compiled
from workflows.language.check.edges import flow_of
from workflows.language.check.flow import Flow
from workflows.language.check.places import places
from workflows.language.check.values import Values
from workflows.language.check.ways import undo_of
from workflows.language.diagnostics import Diagnostics


@dataclass(frozen=True)
class Context:
    """A definition under check.

    Attributes:
        definition: As written.
        actions: Every registered action by name.
        report: Where rules put what they find.
    """

    definition: nodes.Definition
    actions: Mapping[str, ActionSpec]
    report: Diagnostics

    @cached_property
    def flow(self) -> Flow:
        """Which step can run before which."""
        return flow_of(self.definition)

    @cached_property
    def steps(self) -> tuple[nodes.AnyStep, ...]:
        """Every step, in the order of the file."""
        return self.flow.steps

    @cached_property
    def compiled(self) -> tuple[Compiled, ...]:
        """Every expression, compiled."""
        return tuple(compiled(places(self.definition, self.flow)))

    @cached_property
    def values(self) -> Values:
        """What is known of the values that expressions see."""
        return Values(self.definition, self.flow, self.actions)

    @cached_property
    def by_name(self) -> Mapping[str, int]:
        """Number of each step by its name in expressions."""
        return {name.replace("-", "_"): number for name, number in self.flow.numbers.items()}

    @cached_property
    def by_id(self) -> Mapping[str, nodes.AnyStep]:
        """Every step by id; of two with one id the first."""
        return {step.id.value: step for step in reversed(self.steps)}


@dataclass(frozen=True)
class Rule:
    """A rule: what it does, and a sentence for each code that it reports."""

    check: Callable[[Context], None]
    codes: Mapping[str, str] = field(default_factory=dict)


def acting_parts(step: nodes.AnyStep) -> Iterator[nodes.Acting]:
    """Yield how the step, and its compensation, carry out their actions."""
    if isinstance(step, nodes.Action | nodes.Emit):
        yield step.acting
    undo = undo_of(step)
    if undo is not None:
        yield undo.acting
