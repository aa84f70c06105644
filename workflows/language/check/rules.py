"""All rules, and the two questions that are asked of them: what is wrong in a definition, and between definitions.

The list stands here and nowhere else; the order does not matter, because findings are reported in the order of the
file. Rules are run on definitions with mistakes of any kind, so that an author sees everything at once; where one
mistake makes another rule blind, that rule keeps quiet.
"""

from __future__ import annotations

from collections.abc import Mapping

from contracts.actions import ActionSpec
from workflows.language import nodes
from workflows.language.check import (
    approvals,
    arguments,
    batches,
    circles,
    compensations,
    cycles,
    expressions,
    fixed_texts,
    handlers,
    known_actions,
    known_steps,
    library,
    messages,
    parallels,
    reachable,
    retries,
    rollouts,
    schedules,
    schemas,
    start_inputs,
    step_ids,
    timeouts,
    variables,
)
from workflows.language.check.context import Context, Rule
from workflows.language.diagnostics import Diagnostic, Diagnostics, in_order

check_library = library.check_library

RULES: tuple[Rule, ...] = (
    step_ids.RULE,
    known_steps.RULE,
    known_actions.RULE,
    reachable.RULE,
    cycles.RULE,
    parallels.RULE,
    compensations.RULE,
    variables.RULE,
    expressions.RULE,
    arguments.RULE,
    schemas.RULE,
    start_inputs.RULE,
    schedules.RULE,
    messages.RULE,
    approvals.RULE,
    batches.RULE,
    handlers.RULE,
    fixed_texts.RULE,
    retries.RULE,
    timeouts.RULE,
    rollouts.RULE,
)


def check_definition(definition: nodes.Definition, actions: Mapping[str, ActionSpec]) -> list[Diagnostic]:
    """Return everything that is wrong in `definition`, errors and warnings, in the order of the file.

    Args:
        definition: A parsed definition; it may have been parsed with mistakes.
        actions: The registered actions by name.
    """
    context = Context(definition, actions, Diagnostics(definition.file))
    for rule in RULES:
        rule.check(context)
    return list(in_order(context.report.found))


def codes() -> dict[str, str]:
    """Return every code that the checks report, with a sentence; sorted."""
    found = {code: text for rule in RULES for code, text in rule.codes.items()}
    return dict(sorted({**found, **library.CODES, **circles.CODES}.items()))
