"""The static check of expressions and templates: what a definition's schemas say about them before anything runs.

A closed object is complained of when a field is read that it does not declare, even inside `has(...)` and after `.?`:
those accept what may be missing, not what cannot be there. Names without a type given are `any`.
"""

from collections.abc import Mapping
from dataclasses import replace

from contracts.json import Json
from workflows.language.expressions.cel import Expression
from workflows.language.expressions.inference import Inference
from workflows.language.expressions.lattice import (
    ANY,
    BOOL,
    BYTES,
    DURATION,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    TIMESTAMP,
    Type,
    as_json,
    can_be,
    described,
    list_of,
    object_of,
    union,
)
from workflows.language.expressions.model import Finding
from workflows.language.expressions.schema import type_of_schema, type_of_value
from workflows.language.expressions.template import Placed, Template
from workflows.language.expressions.values import article

__all__ = [
    "ANY", "BOOL", "BYTES", "DURATION", "NULL", "NUMBER", "OBJECT", "STRING", "TIMESTAMP", "Type", "check",
    "check_condition", "list_of", "object_of", "type_of_schema", "type_of_value", "union",
]  # fmt: skip

_STANDARD: Mapping[str, Type] = {
    "now": TIMESTAMP,
    "index": NUMBER,
    "run": object_of(
        {
            "id": STRING,
            "key": union(STRING, NULL),
            "definition": STRING,
            "version": STRING,
            "started_at": TIMESTAMP,
        }
    ),
}


def check(
    subject: Expression | Template, variables: Mapping[str, Type], steps: Mapping[str, Type]
) -> tuple[Type, list[Finding]]:
    """Infer the type of an expression or a template and find what cannot work.

    Args:
        subject: What to check.
        variables: Types of roots and loop names; `now`, `index` and `run` have theirs without being named.
        steps: The steps that may be read, by underscore name, each the type of an object with `output`, `status` and
            `error`; any other step is a finding.

    Returns:
        The type that the value has as JSON (a timestamp leaves as a string), and the findings, those of a template with
        pointer and offset of the string that holds them.
    """
    known = {**_STANDARD, **variables}
    if isinstance(subject, Expression):
        return _check_expression(subject, known, steps)
    types: dict[str, Type] = {}
    findings: list[Finding] = []
    for placed in subject.placed:
        type_, found = _check_expression(placed.expression, known, steps)
        types[placed.pointer] = type_ if placed.alone else STRING
        findings += [_moved(finding, placed) for finding in found]
    return _type_of_template(subject.value, "", types), findings


def check_condition(
    expression: Expression, variables: Mapping[str, Type], steps: Mapping[str, Type]
) -> tuple[Type, list[Finding]]:
    """Check an expression that must be true or false."""
    type_, findings = check(expression, variables, steps)
    if not can_be(type_, "bool"):
        message = f"a condition must be true or false, this is {article(described(type_))}"
        findings.append(Finding(0, len(expression.text), message, "compare it with something: ==, !=, <, >"))
    return type_, findings


def _check_expression(
    expression: Expression, variables: Mapping[str, Type], steps: Mapping[str, Type]
) -> tuple[Type, list[Finding]]:
    inference = Inference(variables, steps)
    type_ = inference.infer(expression.node, {})
    return as_json(type_), sorted(dict.fromkeys(inference.findings), key=lambda finding: finding.offset)


def _moved(finding: Finding, placed: Placed) -> Finding:
    return replace(finding, offset=finding.offset + placed.offset, pointer=placed.pointer)


def _type_of_template(value: Json, pointer: str, types: Mapping[str, Type]) -> Type:
    match value:
        case str() if pointer in types:
            return types[pointer]
        case list():
            return list_of(union(*(_type_of_template(item, f"{pointer}/{at}", types) for at, item in enumerate(value))))
        case dict():
            fields = {
                key: _type_of_template(item, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}", types)
                for key, item in value.items()
            }
            return object_of(fields, required=fields)
    return type_of_value(value)
