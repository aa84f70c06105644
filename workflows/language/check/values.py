"""What is known about the values that expressions see, before anything runs.

Types come from the input's schema, from the output schema of each action, from the lists that loops go over and
from what is assigned to variables. Whatever is not known has type `any`, which fits everything: a rule complains
only where no run could succeed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from contracts.actions import ActionSpec
from contracts.names import ACTION_PUBLISH
from workflows.language import nodes
from workflows.language.check.compiling import template_of
from workflows.language.check.flow import Flow
from workflows.language.check.places import IN_STEPS, Names, Place, names_around
from workflows.language.expressions.cel import Expression
from workflows.language.expressions.model import STEPS
from workflows.language.expressions.template import Template
from workflows.language.expressions.types import (
    ANY,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    Type,
    check,
    list_of,
    object_of,
    type_of_schema,
    union,
)
from workflows.language.json_schema import is_schema
from workflows.language.tree import Table, Tree, plain

EVENT = object_of(
    {**dict.fromkeys(("id", "type", "version", "time", "source"), STRING), "data": ANY, "metadata": OBJECT}
)
PROBLEM = object_of({**dict.fromkeys(("type", "title", "detail", "instance"), STRING), "status": NUMBER}, is_open=True)


class Values:
    """The types of one definition's values."""

    def __init__(self, definition: nodes.Definition, flow: Flow, actions: Mapping[str, ActionSpec]) -> None:
        """Take the definition with its flow, and the registered actions."""
        self._definition, self._flow, self._actions = definition, flow, actions
        self._items: dict[int, Type] = {}
        self._outputs: dict[str, Type] = {}

    def variables(self, place: Place) -> Mapping[str, Type]:
        """Return the types of the roots and local names that `place` sees."""
        return self._roots | self._local(place.names)

    @cached_property
    def steps(self) -> Mapping[str, Type]:
        """The type of each step's entry in `steps`, by underscore name."""
        error = union(PROBLEM, NULL)
        return {
            step.id.value.replace("-", "_"): object_of({"output": self._output(step), "status": STRING, "error": error})
            for step in reversed(self._flow.steps)
        }

    def type_of(self, subject: Expression | Template, variables: Mapping[str, Type]) -> Type:
        """Return the type of an expression or template, whatever is wrong with it."""
        unknown = dict.fromkeys(_steps_read(subject), ANY)
        return check(subject, variables, {**unknown, **self.steps})[0]

    @cached_property
    def _roots(self) -> dict[str, Type]:
        return {**self._without_vars, "vars": self._vars}

    @cached_property
    def _without_vars(self) -> dict[str, Type]:
        return {"input": _of_schema(self._definition.input), "event": EVENT, "error": PROBLEM}

    @cached_property
    def _vars(self) -> Type:
        """Each variable has one of the types that are assigned to it; one that is never assigned does not exist."""
        assigned: dict[str, list[Type]] = {}
        for number, step in enumerate(self._flow.steps):
            table = _assigned(step)
            names = names_around(self._flow, number)
            for entry in table.entries if table is not None else ():
                assigned.setdefault(entry.key, []).append(self._first_type(entry.value, names))
        return object_of({name: union(*types) for name, types in assigned.items()})

    def _first_type(self, tree: Tree, names: Names) -> Type:
        """The type of an assigned value while the types of variables are not known yet."""
        template = template_of(tree, names)
        if template is None:
            return ANY
        return self.type_of(template, {**self._without_vars, **dict.fromkeys(_spelt(names), ANY)})

    def _local(self, names: Names) -> dict[str, Type]:
        types: dict[str, Type] = {}
        for name, meaning, number in names:
            types[name] = {"index": NUMBER, "error": PROBLEM}.get(meaning) or self._item(number)
        return types

    def _item(self, number: int) -> Type:
        if number not in self._items:
            self._items[number] = self._element(number)
        return self._items[number]

    def _element(self, number: int) -> Type:
        step, names = self._flow.steps[number], names_around(self._flow, number)
        template = template_of(step.items, names) if isinstance(step, nodes.Foreach) else None
        if template is None:
            return ANY
        listed = self.type_of(template, self.variables(Place(step.tree, "items", IN_STEPS, names, number)))
        elements = [option.element or ANY for option in listed.options if option.kind == "list"]
        return union(*elements) if elements else ANY

    def _output(self, step: nodes.AnyStep) -> Type:
        match step:
            case nodes.Action():
                return self._of_action(step.action.value)
            case nodes.Emit():
                return self._of_action(ACTION_PUBLISH)
            case nodes.Foreach():
                return list_of(ANY)
            case nodes.Decision():
                return union(STRING, NULL)
            case nodes.Approval():
                data = OBJECT if step.form is None else _of_schema(step.form)
                return object_of({"decision": STRING, "by": STRING, "decisions": list_of(OBJECT), "data": data})
        return ANY

    def _of_action(self, name: str) -> Type:
        if name not in self._outputs:
            schema = self._actions[name].output_schema if name in self._actions else {}
            self._outputs[name] = type_of_schema(schema) if schema else ANY
        return self._outputs[name]


def _of_schema(tree: Tree | None) -> Type:
    """The type of a schema in the definition; `any` for one with mistakes, which a rule reports."""
    schema: Any = None if tree is None else plain(tree)
    if not isinstance(schema, dict | bool):
        return ANY
    return type_of_schema(schema) if is_schema(schema) else ANY


def _spelt(names: Names) -> tuple[str, ...]:
    return tuple(name for name, _, _ in names)


def _steps_read(subject: Expression | Template) -> list[str]:
    return [reference.path[0] for reference in subject.references if reference.root == STEPS and reference.path]


def _assigned(step: nodes.AnyStep) -> Table | None:
    if isinstance(step, nodes.Set):
        return step.vars
    return step.carry if isinstance(step, nodes.Repeat) else None
