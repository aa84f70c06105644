"""The static check: expression and schemas in, type and findings out."""

import itertools
from collections.abc import Mapping

import pytest

from contracts.json import Json
from tests.workflows.language.expressions.bindings import DictBindings
from workflows.language.expressions.cel import compile_expression
from workflows.language.expressions.model import Finding
from workflows.language.expressions.template import compile_template
from workflows.language.expressions.types import (
    ANY,
    BOOL,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    Type,
    check,
    check_condition,
    list_of,
    object_of,
    type_of_schema,
    type_of_value,
    union,
)

SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "required": ["email"],
    "properties": {
        "email": {"type": "string"},
        "amount": {"type": "number"},
        "count": {"type": ["integer", "null"]},
        "flag": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "lines": {
            "type": "array",
            "items": {"type": "object", "properties": {"sku": {"type": "string"}, "qty": {"type": "integer"}}},
        },
        "free": {"type": "object"},
        "either": {"anyOf": [{"type": "string"}, {"type": "number"}]},
        "tree": {"$ref": "#/$defs/Tree"},
        "color": {"enum": ["red", "blue"]},
        "prices": {"type": "object", "additionalProperties": {"type": "number"}},
    },
    "$defs": {"Tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}, "leaf": {"type": "string"}}}},
}
VARIABLES = {"input": type_of_schema(SCHEMA)}
STEPS = {
    "create_agent": object_of({"output": object_of({"id": STRING}), "status": STRING, "error": ANY}),
    "quote": object_of({"output": ANY, "status": STRING, "error": ANY}),
}


def findings_of(text: str) -> list[Finding]:
    """Check an expression against the schemas above."""
    return check(compile_expression(text, frozenset({"order"})), VARIABLES, STEPS)[1]


RIGHT = [
    "input.amount > 3",
    "input.count + 1",
    "input.either + 1",
    "input.either + 'a'",
    "input.free.anything.at.all + 1",
    "input.tree.left.leaf + 'x'",
    "input.prices.foo * 2",
    "input.prices.all(k, k != '')",
    "input.email == null",
    "input.color == 'red'",
    "has(input.amount) ? input.amount : 0",
    "input.?amount.orValue(1) + 1",
    "input.?amount.optMap(a, a + 1).orValue(0)",
    "input.lines.map(l, l.sku).join(',')",
    "input.lines.filter(l, l.qty > 1).map(l, l.qty * 1.5)",
    "input.lines[0].sku + input.tags[1]",
    "'a' in input.tags && 'email' in input",
    "input.tags + [1]",
    "steps.create_agent.output.id + 'x'",
    "steps.quote.output.whatever.x",
    "steps['create_agent'].status == 'completed'",
    "now - run.started_at > duration('1h')",
    "now + duration('1h') > timestamp('2024-01-01T00:00:00Z')",
    "duration('1h') + now - now > duration('1s')",
    "run.key == null || run.key + 'x' == ''",
    "index + 1",
    "order.x.y + 1",
    "(input.flag ? 1 : 'a') + 1",
    "cel.bind(x, input.amount, x * 2)",
    "string(input.amount) + 'x'",
    "math.greatest(input.amount, 3) + 1",
    "{'a': 1}.a + 1",
    "{'a': 1, input.email: 2}.b",
    "size(input.tags) + size(input.email) + size(input)",
    "[1, 'a'].exists(x, x == 'a')",
    "[] + ['a'] + [1]",
    "b'a' + b'b' == b'ab'",
    "type(input.amount) == int",
    "input.email.matches('a.*') && input.email.size() > 1",
    "[1, ?input.?amount].map(x, x + 1)",
    "{'a': 1, ?'b': input.?amount}.b + 1",
    "optional.of(input.amount).value() + 1",
    "input.?lines[0].sku.orValue('')",
    "!(input.free.x) || -input.free.y > 1",
    "input.free.x < 'a' || input.free.x - 1 > 2 || input.free.list + [1] == []",
    "uuid() + 'x'",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_can_work_is_not_complained_of(text: str) -> None:
    """Whatever some value that the schemas allow makes work is left to the run."""
    assert findings_of(text) == []


WRONG = [
    ("input.amonut > 3", "amonut", "`input.amonut` does not exist; the fields there are amount, color,", "`amount`"),
    ("has(input.amonut)", "amonut", "`input.amonut` does not exist", "did you mean `amount`?"),
    ("input.?amonut", "amonut", "`input.amonut` does not exist", "did you mean `amount`?"),
    ("input[?'amonut'].hasValue()", "amonut", "`input.amonut` does not exist", None),
    ("input['amonut']", "amonut", "`input.amonut` does not exist", None),
    ("input.tree.lef", "lef", "`input.tree.lef` does not exist; the fields there are leaf, left", None),
    ("input.email.length", "length", "there is no field `length`: `input.email` is a string", None),
    ("input.count.x", "x", "`input.count` is a number or null", None),
    ("input.lines.map(l, l.skuu)", "skuu", "`l.skuu` does not exist; the fields there are qty, sku", "`sku`"),
    ("input.lines[0].foo", "foo", "`foo` does not exist; the fields there are qty, sku", None),
    ("{'a': 1}.b", "b", "`b` does not exist; the fields there are a", None),
    ("steps.create_agnet.output", "create_agnet", "there is no step `create_agnet`", "did you mean `create_agent`?"),
    ("steps.create_agent.output.di", "di", "does not exist; the fields there are id", None),
    ("has(steps.nope)", "nope", "there is no step `nope`", None),
    ("run.idd", "idd", "`run.idd` does not exist", "`id`"),
    ('"a" + 1', "+", "`+` cannot combine a string and a number", "string(...)"),
    ("input.either + true", "+", "`+` cannot combine a string or number and a bool", None),
    ("input.free.x - 'a'", "-", "`-` cannot combine a value and a string", None),
    ("now + 1", "+", "`+` cannot combine a timestamp and a number", None),
    ("1 + (2 * 'a')", "*", "`*` cannot combine", None),
    ("input.email < 3", "<", "`<` cannot compare a string with a number", None),
    ("input.tags >= input.tags", ">=", "`>=` cannot compare a list with a list", None),
    ("input.email == 3", "==", "a string never equals a number", None),
    ("input.color != 3", "!=", "a string never equals a number", None),
    ("[1, 2].exists(x, x == 'a')", "==", "a number never equals a string", None),
    ("3 in input.tags", "in i", "a number is never in a list of string", None),
    ("'a' in input.amount", "in i", "`in` needs a list or an object on its right, this is a number", None),
    ("input.amount && true", "input.amount", "`&&` needs true or false, this is a number", None),
    ("!input.email", "input.email", "`!` needs true or false, this is a string", None),
    ("-input.email", "input.email", "`-` needs a number, this is a string", None),
    ("input.email ? 1 : 2", "input.email", "`? :` needs true or false, this is a string", None),
    ("input.lines.filter(l, l.qty)", "l.qty", "the condition needs true or false, this is a number", None),
    ("input.amount.map(x, x)", "input.amount", "only a list or an object can be iterated, this is a number", None),
    ("input.amount[0]", "[", "a number cannot be looked into with a number", None),
    ("input.tags[input.email]", "[", "a list cannot be looked into with a string", None),
    ("input.tags['a']", "a", "there is no field `a`: `input.tags` is a list", None),
    ("size(input.amount)", "size", "`size` takes size(string) or size(list)", None),
    ("input.amount.startsWith('a')", "startsWith", "it was given a number, a string", None),
    ("math.ceil(input.email)", "math.ceil", "`math.ceil` takes math.ceil(number); it was given a string", None),
    ("input.amount.orValue(1)", "input.amount", "`orValue` needs an optional, this is a number", None),
    ("[?input.amount]", "input.amount", "`?` needs an optional, this is a number", None),
    ("cel.bind(x, input.email, x * 2)", "*", "`*` cannot combine a string and a number", None),
    ("index + 'a'", "+", "`+` cannot combine a number and a string", None),
]


@pytest.mark.parametrize(("text", "marked", "message", "hint"), WRONG)
def test_what_cannot_work_is_found(text: str, marked: str, message: str, hint: str | None) -> None:
    """Each mistake is found once, with the characters to underline, the reason, and a hint where one is known."""
    (finding,) = findings_of(text)
    assert text[finding.offset : finding.offset + finding.length].startswith(marked[: finding.length])
    assert finding.offset == text.rfind(marked)
    assert message in finding.message
    assert (hint or "") in (finding.hint or "")


def test_all_mistakes_are_found_at_once_in_order() -> None:
    """One mistake does not hide the next, and none is told twice."""
    offsets = [finding.offset for finding in findings_of("input.foo + steps.bar.output + ('a' + 1) + input.baz")]
    assert offsets == [6, 18, 36, 49]


TYPES: list[tuple[str, Type]] = [
    ("input.email", STRING),
    ("input.count", union(NUMBER, NULL)),
    ("input.amount / 2", NUMBER),
    ("input.amount > 2", BOOL),
    ("input.lines.map(l, l.qty)", list_of(NUMBER)),
    ("input.lines.filter(l, true)[0].sku", STRING),
    ("now", STRING),
    ("now - now", STRING),
    ("{'at': now, 'xs': [duration('1s')]}", object_of({"at": STRING, "xs": list_of(STRING)}, required=("at", "xs"))),
    ("input.?email", union(STRING, NULL)),
    ("input.flag ? 1 : 'a'", union(NUMBER, STRING)),
    ("steps.quote.output", ANY),
    ("type(1)", ANY),
    ("'a,b'.split(',')", list_of(STRING)),
]


@pytest.mark.parametrize(("text", "expected"), TYPES)
def test_check_gives_the_type_that_the_result_has_as_json(text: str, expected: Type) -> None:
    """Times are strings by the time that a result is JSON, and an empty optional is null."""
    assert check(compile_expression(text), VARIABLES, STEPS) == (expected, [])


def test_condition_must_be_true_or_false() -> None:
    """Anything that cannot be a bool is refused as a condition; what is unknown is not."""
    (finding,) = check_condition(compile_expression("input.amount"), VARIABLES, STEPS)[1]
    assert (finding.offset, finding.length) == (0, 12)
    assert "a condition must be true or false, this is a number" in finding.message
    assert check_condition(compile_expression("input.free.x"), VARIABLES, STEPS)[1] == []
    assert check_condition(compile_expression("input.flag"), VARIABLES, STEPS) == (BOOL, [])


def test_template_is_checked_with_pointers() -> None:
    """Findings point into the string that holds the expression; the type is that of the whole value."""
    template = compile_template(
        {"a": ["x ${ input.amonut }", "${ input.amount }"], "b": {"c/d": "${ 1 + 'a' }"}, "n": 1}
    )
    type_, findings = check(template, VARIABLES, STEPS)
    assert [(finding.pointer, finding.offset) for finding in findings] == [("/a/0", 11), ("/b/c~1d", 5)]
    inner = object_of({"c/d": ANY}, required=("c/d",))
    assert type_ == object_of({"a": list_of(union(STRING, NUMBER)), "b": inner, "n": NUMBER}, required="abn")


SCHEMAS: list[tuple[Json, Type]] = [
    (True, ANY),
    ({}, ANY),
    ({"type": "integer"}, NUMBER),
    ({"type": ["string", "null"]}, union(STRING, NULL)),
    ({"const": None}, NULL),
    ({"enum": [1, 2.5, "a"]}, union(NUMBER, STRING)),
    ({"type": "array"}, list_of(ANY)),
    ({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "number"}}, list_of(ANY)),
    ({"type": "object"}, OBJECT),
    ({"type": "object", "additionalProperties": False}, object_of({})),
    ({"properties": {"a": {"type": "string"}}}, object_of({"a": STRING})),
    ({"properties": {"a": True}, "required": ["a"]}, object_of({"a": ANY}, required="a")),
    ({"properties": {"a": True}, "additionalProperties": True}, object_of({"a": ANY}, is_open=True)),
    ({"properties": {"a": True}, "patternProperties": {"^x": True}}, object_of({"a": ANY}, is_open=True)),
    ({"properties": {"a": True}, "allOf": [{"properties": {"b": True}}]}, object_of({"a": ANY}, is_open=True)),
    ({"properties": {"a": True}, "anyOf": [{"required": ["a"]}]}, object_of({"a": ANY})),
    ({"oneOf": [{"type": "string"}, {"type": "object"}]}, union(STRING, OBJECT)),
    ({"anyOf": [{"type": "string"}, {"format": "x"}]}, ANY),
    ({"allOf": [{"type": "string"}]}, ANY),
    ({"type": "strange"}, ANY),
    ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}}, STRING),
    ({"$ref": "#/nowhere"}, ANY),
    ({"$ref": "https://example.com/schema"}, ANY),
    ({"$ref": "#"}, ANY),
    (
        {"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"b": {"$ref": "#/$defs/b"}}}, "b": {"$ref": "#/$defs/a"}}},
        object_of({"b": ANY}),
    ),
]


@pytest.mark.parametrize(("schema", "expected"), SCHEMAS)
def test_schema_becomes_a_type(schema: Json, expected: Type) -> None:
    """What a schema says of types is understood; whatever else it says leaves the type open."""
    assert isinstance(schema, dict | bool)
    assert type_of_schema(schema) == expected


def test_schema_whose_definitions_multiply_is_read_once_each() -> None:
    """Sixty levels that each refer twice to the next one are sixty types, not 2^60."""
    names = [f"level{number}" for number in range(61)]
    definitions: dict[str, Json] = {
        name: {"properties": {"left": {"$ref": f"#/$defs/{below}"}, "right": {"$ref": f"#/$defs/{below}"}}}
        for name, below in itertools.pairwise(names)
    }
    type_ = type_of_schema({"$ref": "#/$defs/level0", "$defs": definitions})
    path = ".".join(["input", *["left"] * 20])
    result, findings = check(compile_expression(path), {"input": type_}, {})
    assert findings == []
    assert set(result.fields) == {"left", "right"}


def test_value_has_a_type() -> None:
    """A constant has the type that it shows."""
    expected = object_of({"a": list_of(union(NUMBER, STRING, NULL, BOOL))}, required="a")
    assert type_of_value({"a": [1, "x", None, True]}) == expected


def test_checked_expressions_still_run() -> None:
    """The type that was promised is the one that comes out."""
    data = {"input": {"lines": [{"qty": 2}]}}
    assert compile_expression("input.lines.map(l, l.qty)").evaluate(DictBindings(data)) == [2]
