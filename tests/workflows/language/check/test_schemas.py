"""The rule about schemas: what it finds, and what it lets pass."""

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

WRONG = [
    Case(
        "no type",
        "- {id: charge, action: shop.pay}",
        head="input: {type: objct}",
        found=[
            "2:15 invalid-schema: `input.type` is no JSON Schema: there is no type \"objct\" | did you mean 'object'?",
        ],
    ),
    Case(
        "a wrong keyword value inside",
        "- {id: charge, action: shop.pay}",
        head="""
        input:
          type: object
          properties:
            age: {minimum: ten}
        """,
        found=[
            '5:20 invalid-schema: `input.properties.age.minimum` is no JSON Schema: "ten" is not of type '
            '"number" | it is to be JSON Schema 2020-12',
        ],
    ),
    Case(
        "a bad pattern",
        "- {id: charge, action: shop.pay}",
        head="input: {properties: {code: {pattern: '('}}}",
        found=[
            '2:38 invalid-schema: `input.properties.code.pattern` is no JSON Schema: "(" is not a "regex" | '
            "it is to be JSON Schema 2020-12",
        ],
    ),
    Case(
        "a reference to nothing",
        "- {id: charge, action: shop.pay}",
        head="input: {properties: {code: {$ref: '#/$defs/code'}}}",
        found=[
            "2:8 invalid-schema: `input` is no JSON Schema: Pointer '/$defs/code' does not exist | a "
            "reference names a part of this schema: #/$defs/NAME",
        ],
    ),
    Case(
        "another document",
        "- {id: charge, action: shop.pay}",
        head="input: {properties: {code: {$ref: 'https://example.com/code.json'}}}",
        found=[
            "2:35 remote-reference: the schema refers to another document: 'https://example.com/code.json' "
            "| put the part under `$defs` and refer to '#/$defs/NAME'",
        ],
    ),
    Case(
        "another dialect",
        "- {id: charge, action: shop.pay}",
        head="input: {$schema: 'http://json-schema.org/draft-07/schema#'}",
        found=[
            "2:18 invalid-schema: schemas here are of JSON Schema 2020-12, not "
            "'http://json-schema.org/draft-07/schema#' | leave `$schema` out",
        ],
    ),
    Case(
        "a misspelt keyword",
        "- {id: charge, action: shop.pay}",
        head="input: {type: object, requierd: [code], properties: {code: {enm: [1]}}}",
        found=[
            "2:23 warning unknown-schema-keyword: 'requierd' is no keyword of JSON Schema, so it checks "
            "nothing | did you mean 'required'?",
            "2:61 warning unknown-schema-keyword: 'enm' is no keyword of JSON Schema, so it checks nothing "
            "| did you mean 'enum'?",
        ],
    ),
    Case(
        "a form",
        "- {id: ask, type: approval, form: {type: object, properties: {budget: {type: nmber}}}}",
        found=[
            '1:78 invalid-schema: `form.properties.budget.type` is no JSON Schema: there is no type "nmber" '
            "| did you mean 'number'?",
        ],
    ),
]

RIGHT = [
    Case(
        "schemas",
        "- {id: ask, type: approval, form: {type: object, properties: {budget: {type: number}}}}",
        head="""
        input:
          $schema: https://json-schema.org/draft/2020-12/schema
          type: object
          required: [code]
          properties: {code: {$ref: '#/$defs/code'}, typ: {const: {requierd: 1}}}
          $defs: {code: {type: string, pattern: '^[a-z]+$', x-unit: none}}
        """,
    ),
    Case(
        "anything",
        "- {id: charge, action: shop.pay}",
        head="input: true",
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_schemas_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_schemas_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []
