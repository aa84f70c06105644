"""All rules together: everything in one go, listed codes, and no surprise on definitions that are wrong already."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from contracts.actions import ActionSpec
from tests.workflows.language.check.checking import ACTIONS, definition_of, found_in
from workflows.language.check.rules import RULES, check_definition, codes
from workflows.language.parse.definition import parse
from workflows.language.source import read_source

_TABLES = sorted(Path(__file__).parent.glob("test_*.py"))

SEED = {
    "id": "agent-creation-v1",
    "name": "Agent Creation Workflow",
    "version": "1.0.0",
    "steps": [
        {
            "id": "validate-input",
            "type": "action",
            "action": "validateAgentInput",
            "next": "create-agent",
            "retry": {"attempts": 3, "backoff": 1000},
        },
        {
            "id": "create-agent",
            "type": "action",
            "action": "createAgentRecord",
            "next": "initialize-parallel",
            "onError": "cleanup",
        },
        {
            "id": "initialize-parallel",
            "type": "parallel",
            "next": ["initialize-knowledge", "initialize-patterns", "send-notification"],
        },
        {"id": "initialize-knowledge", "type": "action", "action": "initializeKnowledgeBase"},
        {"id": "initialize-patterns", "type": "action", "action": "initializePatternStore"},
        {"id": "send-notification", "type": "action", "action": "sendCreationNotification"},
        {"id": "cleanup", "type": "action", "action": "rollbackAgentCreation"},
    ],
    "compensation": {"create-agent": "cleanup"},
}


def test_rules_report_everything_in_one_go() -> None:
    """Mistakes of many kinds in one file are all found, in the order of the file."""
    found = found_in(
        """
        id: order
        version: 1.0.0
        input: {type: objct}
        steps:
          - {id: quote, action: shop.qote, if: input.amount >}
          - {id: quote, action: shop.pay, on_error: fixx}
          - {id: charge, action: shop.quote, with: {count: many}}
          - {id: both, wait: 3, branches: {left: [{id: one, action: shop.pay}]}}
          - {id: tell, type: emit, event: order..paid, data: "${ steps.last.output }"}
          - {id: last, action: shop.pay, retry: {on: [timout]}}
        triggers:
          - schedule: {cron: 0 25 * * *, timezone: Europe/Berln}
        """
    )
    places = [row.split(" ", 1)[0] for row in found]
    kinds = {row.split(":")[1].split()[-1] for row in found}
    assert places == sorted(places, key=lambda place: [int(part) for part in place.split(":")])
    assert kinds == {
        "invalid-schema",
        "unknown-action",
        "bad-expression",
        "duplicate-step-id",
        "unknown-step",
        "missing-argument",
        "wrong-argument",
        "bad-wait",
        "bad-topic",
        "step-not-before",
        "unusual-problem-type",
        "bad-cron",
        "unknown-timezone",
    }


def test_rules_accept_the_graph_of_the_first_definition() -> None:
    """A definition in graph shape with a compensation map, in JSON and with camel case keys, has no finding."""
    names = [step["action"] for step in SEED["steps"] if isinstance(step, dict) and "action" in step]
    actions = {name: ActionSpec(name) for name in names}
    assert check_definition(definition_of(json.dumps(SEED, indent=2)), actions) == []


def test_rules_have_a_table_row_for_each_code() -> None:
    """No code is listed that no test has seen."""
    seen = set(re.findall(r"\d+:\d+ (?:warning )?([a-z-]+):", "".join(path.read_text() for path in _TABLES)))
    assert codes().keys() - {"ambiguous-step-id"} <= seen


def test_rules_list_each_code_once_with_a_sentence() -> None:
    """Codes are words with hyphens, and belong to one rule."""
    listed = [code for rule in RULES for code in rule.codes if code != "unknown-step"]
    assert len(listed) == len(set(listed))
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+", code) and text.endswith(".") for code, text in codes().items())
    assert list(codes()) == sorted(codes())


def test_rules_report_ids_that_are_one_name_in_expressions() -> None:
    """An id with an underscore is refused by its spelling; the clash is told as well."""
    source = read_source("x.yaml", "id: x\nversion: 1.0.0\nsteps: [{id: a-b, for: 1s}, {id: a_b, for: 1s}]\n")
    definition, _ = parse(source)
    assert definition is not None
    (found,) = check_definition(definition, ACTIONS)
    assert (found.code, found.message) == (
        "ambiguous-step-id",
        "'a_b' and 'a-b' (line 3) are both `steps.a_b` in expressions",
    )


@pytest.mark.parametrize(
    "text",
    [
        "id: x",
        "steps: []",
        "steps: 3",
        "steps: [3, {}, {id: a}, {type: nope}, {id: 3, type: try}]",
        "steps: [{id: a, type: parallel}, {id: b, type: decision}, {id: c, type: foreach}, {id: d, type: repeat}]",
        "steps: [{id: e, type: try, catch: [{}], finally: []}, {id: f, type: set}, {id: g, type: approval, form: 3}]",
        "steps: [{id: h, type: fail}, {id: i, type: receive}, {id: j, type: workflow}, {id: k, type: emit}]",
        "{steps: [{id: a, for: 1s, next: a}], input: {type: [[object]], properties: 3}, output: '${ input.a }'}",
        "{steps: [{id: a, vars: {a: '${ vars.a + '}}], triggers: [{}, {event: 3}, {schedule: {}}]}",
        "{steps: [{id: a, for: 1s}], compensation: {a: b, c: 3}}",
        "{steps: [{id: a, form: {properties: {a: {$ref: '#/x', properties: []}}}, quorum: 2, approvers: {a: 1}}]}",
    ],
)
def test_rules_survive_definitions_that_are_wrong_in_shape(text: str) -> None:
    """The rules run on the stand-ins of a definition that was parsed with mistakes."""
    definition, found = parse(read_source("x.yaml", text))
    assert definition is not None
    assert found or check_definition(definition, ACTIONS)
    check_definition(definition, ACTIONS)
