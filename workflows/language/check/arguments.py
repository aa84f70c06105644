"""The arguments of an action (`with`) fit its input schema, as far as can be told before it runs.

Constants are checked as they stand. An expression that gives a whole value is refused only if its type can never be
what the schema wants. A missing `with` means the run's input, about which the action itself has the last word.
"""

from __future__ import annotations

from collections.abc import Iterator

from contracts.actions import ActionSpec
from contracts.names import ACTION_PUBLISH
from workflows.language import nodes
from workflows.language.check.constants import complaints, subschema
from workflows.language.check.context import Context, Rule
from workflows.language.check.places import Place
from workflows.language.check.ways import undo_of
from workflows.language.expressions.lattice import described
from workflows.language.expressions.template import Placed, Template
from workflows.language.expressions.types import STRING, Type, type_of_schema
from workflows.language.expressions.values import article
from workflows.language.tree import Items, Key, Scalar, Tree, find

_CODES = {"unknown": "unknown-argument", "missing": "missing-argument", "value": "wrong-argument"}
_WRITTEN_AS_TEXT = frozenset({"timestamp", "duration", "bytes"})


def _check(context: Context) -> None:
    for found in context.compiled:
        spec = _action_of(context, found.place)
        if spec is None or isinstance(found.place.subject, nodes.Condition):
            continue
        _constants(context, found.place.subject, spec)
        if isinstance(found.subject, Template):
            _expressions(context, found.place, found.place.subject, found.subject, spec)


def _action_of(context: Context, place: Place) -> ActionSpec | None:
    """The action whose arguments stand at `place`."""
    if place.number is None or place.what not in ("with", "compensate"):
        return None
    step = context.steps[place.number]
    undo = undo_of(step)
    action = undo.action if place.what == "compensate" and undo is not None else None
    if place.what == "with" and isinstance(step, nodes.Action):
        action = step.action
    return context.actions.get(action.value) if action is not None and action.value != ACTION_PUBLISH else None


def _constants(context: Context, tree: Tree, spec: ActionSpec) -> None:
    for found in complaints(tree, spec.input_schema):
        where = ".".join(map(str, ("with", *(found.path if found.kind == "value" else found.path[:-1]))))
        message = f"`{where}` of {spec.name!r}: {found.message}"
        context.report.error(found.at, _CODES[found.kind], message, found.hint)


def _expressions(context: Context, place: Place, tree: Tree, template: Template, spec: ActionSpec) -> None:
    variables = context.values.variables(place)
    for placed in template.placed:
        path = tuple(_keys(tree, placed.pointer))
        part, schema = find(tree, path), subschema(spec.input_schema, path)
        if schema is None or not isinstance(part, Scalar):
            continue
        whole = _is_whole(str(part.value), placed)
        given = context.values.type_of(placed.expression, variables) if whole else STRING
        wanted = type_of_schema(schema)
        if not _fits(given, wanted):
            message = f"`{'.'.join(map(str, ('with', *path)))}` of {spec.name!r} is {article(described(wanted))}"
            message += f", but the expression gives {article(described(given))}"
            context.report.error(part.at, "wrong-argument", message)


def _keys(tree: Tree, pointer: str) -> Iterator[Key]:
    for part in pointer.split("/")[1:]:
        key: Key = part.replace("~1", "/").replace("~0", "~")
        key = int(key) if isinstance(tree, Items) else key
        yield key
        tree = find(tree, [key])


def _is_whole(text: str, placed: Placed) -> bool:
    """Tell whether the expression is all of the text, so that it gives the value's type."""
    before, after = text[: placed.offset], text[placed.offset + len(placed.expression.text) :]
    return before.strip() == "${" and after.strip() == "}"


def _fits(given: Type, wanted: Type) -> bool:
    kinds = {"string" if option.kind in _WRITTEN_AS_TEXT else option.kind for option in given.options}
    possible = {option.kind for option in wanted.options}
    return bool(kinds & possible) or not {"any", "optional"}.isdisjoint(kinds | possible)


RULE = Rule(
    _check,
    {
        "unknown-argument": "An action has no such argument.",
        "missing-argument": "An action's argument is missing.",
        "wrong-argument": "An argument can never be what the action takes.",
    },
)
