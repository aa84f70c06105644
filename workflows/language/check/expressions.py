"""Expressions: they can be read, everything that they name exists and can have a value there, and their types fit.

Positions count in the file: an offset in an expression is carried over to the line and column where its text
stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from workflows.language import nodes
from workflows.language.check.context import Context, Rule
from workflows.language.check.flow import begin
from workflows.language.check.places import STICKY_BY, Place
from workflows.language.diagnostics import did_you_mean
from workflows.language.expressions.cel import Expression
from workflows.language.expressions.lattice import Kind, can_be, described
from workflows.language.expressions.model import STEPS, Finding, Reference
from workflows.language.expressions.template import Template
from workflows.language.expressions.types import ANY, Type, check, check_condition
from workflows.language.expressions.values import article
from workflows.language.tree import Items, Position, Scalar, Tree, find

_WHERE = {
    "item": "only the steps of a foreach, and its `collect`, see an item",
    "index": "only the steps of a foreach or repeat see an index",
    "error": "only a `catch`, or a step that `on_error` leads to, sees an error",
    "event": "only triggers and the `match` of a receive step see an event; the run's data is in `input`",
}


_KINDS: Mapping[str, tuple[Kind, ...]] = {
    "items": ("list",),
    "for": ("string", "number", "duration"),
    "until": ("string", "timestamp"),
    "approvers": ("list", "string"),
    "key": ("string", "number"),
    "correlate field": ("string", "number", "bool"),
    STICKY_BY: ("string", "number", "bool"),
}
"""What the values of some keys must be, whatever they hold."""


def _check(context: Context) -> None:
    recovering = _recovering(context)
    for found in context.compiled:
        place, subject = found.place, found.subject
        _report(context, place, found.findings, "bad-expression")
        if subject is not None:
            local = {name for name, _, _ in place.names} | ({"error"} if place.number in recovering else set())
            _names(context, place, subject, place.roots | local)
            _types(context, place, subject, place.roots | local)


def _types(context: Context, place: Place, subject: Expression | Template, seen: frozenset[str]) -> None:
    # Names and steps that cannot be seen have been complained of with their reason.
    variables = {name: type_ if name in seen else ANY for name, type_ in context.values.variables(place).items()}
    steps = {**{use.path[0]: ANY for use in subject.references if use.root == STEPS}, **context.values.steps}
    is_condition = isinstance(place.subject, nodes.Condition) and place.what != STICKY_BY
    if isinstance(subject, Expression) and is_condition:
        _, findings = check_condition(subject, variables, steps)
    else:
        given, findings = check(subject, variables, steps)
        findings = findings or _wanted(place, given)
    _report(context, place, findings, "type-error")


def _wanted(place: Place, given: Type) -> list[Finding]:
    """The complaint that a value can never be what its key takes."""
    kinds = _KINDS.get(place.what)
    if kinds is None or can_be(given, *kinds):
        return []
    message = f"`{place.what}` takes a {' or '.join(kinds)}, this is {article(described(given))}"
    return [Finding(0, 1, message)]


@dataclass(frozen=True)
class _Use:
    """A reference and where it stands; the place in the file is worked out for those that are complained of."""

    reference: Reference
    place: Place
    pointer: str
    offset: int

    @property
    def at(self) -> Position:
        return _position(self.place, self.pointer, self.offset, _length(self.reference))


def _uses(place: Place, subject: Expression | Template) -> Iterator[_Use]:
    if isinstance(subject, Expression):
        for reference in subject.references:
            yield _Use(reference, place, "", reference.offset)
        return
    for placed in subject.placed:
        for reference in placed.expression.references:
            yield _Use(reference, place, placed.pointer, placed.offset + reference.offset)


def _length(reference: Reference) -> int:
    step = len(reference.path[0]) + 1 if reference.root == STEPS else 0
    return len(reference.root) + step


def _names(context: Context, place: Place, subject: Expression | Template, seen: frozenset[str]) -> None:
    for use in _uses(place, subject):
        if use.reference.root == STEPS:
            _step(context, place, use)
        elif use.reference.root not in seen:
            _out_of_scope(context, place, use, seen)


def _out_of_scope(context: Context, place: Place, use: _Use, seen: frozenset[str]) -> None:
    root = use.reference.root
    usable = (
        f"`{place.what}` sees {', '.join(sorted(seen))}" if seen else "a schedule's input is fixed when it is deployed"
    )
    hint = _WHERE.get(root, usable) if place.number is not None else usable
    called = next((name for name, meaning, _ in reversed(place.names) if meaning == root), None)
    hint = f"here it is called `{called}`" if called is not None else hint
    context.report.error(use.at, "not-in-scope", f"`{root}` has no value here", hint)


def _step(context: Context, place: Place, use: _Use) -> None:
    name = use.reference.path[0]
    number = context.by_name.get(name)
    if number is None:
        known = [step.id.value.replace("-", "_") for step in context.steps]
        context.report.error(use.at, "unknown-step", f"there is no step `{name}`", did_you_mean(name, known))
        return
    reason = _why_not(context, place, number)
    if reason is not None:
        message, hint = reason
        context.report.error(use.at, "step-not-before", f"`steps.{name}` cannot have run here: {message}", hint)


def _why_not(context: Context, place: Place, number: int) -> tuple[str, str] | None:
    """The reason why step `number` has no result at `place`, with a hint; None where it can have one."""
    if not place.sees_steps:
        return "no step has run yet", f"`{place.what}` sees {', '.join(sorted(place.roots)) or 'nothing of a run'}"
    if not context.flow.is_visible(number, place.scope):
        return _in_loop(context, number)
    if place.point is None or (number != place.hides and context.flow.can_precede(number, place.point)):
        return None
    if number == place.number:
        return "it is this step itself", "its output is there for the steps after it, and for its `compensate`"
    if place.number is not None and context.flow.can_precede(place.number, begin(number)):
        return "it comes later", "use it in a step after it"
    return "no path leads from it to this step", "it is on another branch, or another way of a decision"


def _in_loop(context: Context, number: int) -> tuple[str, str]:
    loop = context.flow.places[number].scope
    name = context.steps[loop].id.value if loop is not None else ""
    output = f"steps.{name.replace('-', '_')}.output"
    if loop is not None and isinstance(context.steps[loop], nodes.Repeat):
        return f"it is inside the loop {name!r}", f"assign what you need with `carry` or `set`, or use {output}"
    return f"it is inside the loop {name!r}", f"choose what you need with `collect` and use {output}"


def _recovering(context: Context) -> frozenset[int]:
    """The steps on the paths that `on_error` leads to."""
    found: set[int] = set()
    for number, step in enumerate(context.steps):
        siblings = context.flow.places[number].siblings
        named = [handler.next.value for handler in step.handlers if handler.next is not None]
        targets = [siblings[name] for name in named if name in siblings]
        found.update(context.flow.within(context.flow.path(targets, set())))
    return frozenset(found)


def _report(context: Context, place: Place, findings: Iterable[Finding], code: str) -> None:
    for finding in findings:
        at = _position(place, finding.pointer, finding.offset, finding.length)
        context.report.error(at, code, finding.message, finding.hint or "")


def _position(place: Place, pointer: str, offset: int, length: int) -> Position:
    if isinstance(place.subject, nodes.Condition):
        return place.subject.source.within(offset, length)
    tree = at_pointer(place.subject, pointer)
    return tree.within(offset, length) if isinstance(tree, Scalar) else tree.at


def at_pointer(tree: Tree, pointer: str) -> Tree:
    """Return the part of `tree` that a JSON pointer names."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        tree = find(tree, [int(key) if isinstance(tree, Items) else key])
    return tree


RULE = Rule(
    _check,
    {
        "bad-expression": "An expression cannot be read, or uses a name or function that does not exist.",
        "type-error": "An expression's types cannot fit: a field that does not exist, a sum of text and number.",
        "not-in-scope": "An expression uses a value that does not exist at its place.",
        "step-not-before": "An expression uses a step that cannot have run before.",
    },
)
