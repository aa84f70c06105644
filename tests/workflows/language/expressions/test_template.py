"""Templates: strings with expressions in them, at any depth of a JSON value."""

import pickle

import pytest

from contracts.json import Json
from tests.workflows.language.expressions.bindings import DictBindings
from workflows.language.expressions.model import ExpressionErrors, ExpressionFailure, Reference
from workflows.language.expressions.template import compile_template

DATA = {"input": {"n": 5, "text": "a}b", "p": 3.0, "map": {"b": "é", "a": [1, None]}, "none": None, "yes": True}}

VALUES: list[tuple[Json, Json]] = [
    ("plain", "plain"),
    ("", ""),
    (7, 7),
    (None, None),
    ("${ input.n }", 5),
    ("${input.map}", {"a": [1, None], "b": "é"}),
    ("${ input.none }", None),
    ("${ input.n }\n", 5),
    ("${\n  input.n\n}\r\n", 5),
    (" ${ input.n }", " 5"),
    ("${ input.n } ", "5 "),
    ("n=${ input.n } p=${ input.p } y=${ input.yes } none=${ input.none }.", "n=5 p=3.0 y=true none=."),
    ("${ input.text }: ${ input.map }", 'a}b: {"a":[1,null],"b":"é"}'),
    ("${ input.n }${ input.n }", "55"),
    ("$${ input.n }", "${ input.n }"),
    ("$$${ input.n }", "$${ input.n }"),
    ("$ $$ {} }", "$ $$ {} }"),
    ("cost: $${ input.n } is $${} = ${ input.n }", "cost: ${ input.n } is ${} = 5"),
    ('${ {"a": "}"} }', {"a": "}"}),
    ("${ {'a': {'b': 1}}.a.b }", 1),
    ("${ '}' + \"}\" + '''}'}''' + r'}' }", "}}}'}}"),
    (r"${ 'it\'s }' + '\\' }", "it's }\\"),
    ("${ [1, 2].map(x, {'v': x}) }", [{"v": 1}, {"v": 2}]),
    ("${ 1 // }\n + 1 }", 2),
    ("${ 'http://x/}' }", "http://x/}"),
    ("${ '${ input.n }' }", "${ input.n }"),
    ({"a": ["${ input.n }", {"b": "x${ input.n }"}], "c": 1}, {"a": [5, {"b": "x5"}], "c": 1}),
]


@pytest.mark.parametrize(("value", "expected"), VALUES)
def test_template_evaluates(value: Json, expected: Json) -> None:
    """One expression keeps its type, text is rendered around others, `$${` is a literal."""
    result = compile_template(value).evaluate(DictBindings(DATA))
    assert result == expected
    assert repr(result) == repr(expected)


def test_text_from_data_is_never_evaluated() -> None:
    """An expression that comes in as data stays text."""
    bindings = DictBindings({"input": "${ 1 + 1 }"})
    assert compile_template("${ input }").evaluate(bindings) == "${ 1 + 1 }"
    assert compile_template("x ${ input }").evaluate(bindings) == "x ${ 1 + 1 }"


MISTAKES: list[tuple[Json, str, int, str]] = [
    ("${ a", "", 0, "never closed"),
    ("x ${ 'abc }", "", 2, "never closed"),
    ("${}", "", 2, "empty"),
    ("ab ${ input.n + }", "", 15, "ends too early"),
    ("ab ${ inptu.n }", "", 6, "no `inptu`"),
    ({"a/b": ["x", {"~": "y ${  foo() }"}]}, "/a~1b/1/~0", 6, "no function `foo`"),
    ({"${ k }": 1}, "/${ k }", 0, "a key is not evaluated"),
]


@pytest.mark.parametrize(("value", "pointer", "offset", "message"), MISTAKES)
def test_mistake_is_found_with_pointer_and_offset(value: Json, pointer: str, offset: int, message: str) -> None:
    """A mistake names the string that holds it and the place in that string."""
    with pytest.raises(ExpressionErrors) as caught:
        compile_template(value)
    finding = caught.value.findings[0]
    assert (finding.pointer, finding.offset) == (pointer, offset)
    assert message in finding.message


def test_mistakes_of_all_strings_are_reported_at_once() -> None:
    """One string's mistake does not hide another's."""
    with pytest.raises(ExpressionErrors) as caught:
        compile_template(["${ foo }", "${ ok", "a ${ bar } ${ baz }"])
    assert [finding.pointer for finding in caught.value.findings] == ["/0", "/1", "/2", "/2"]


def test_references_count_in_their_string() -> None:
    """Offsets are those in the string, so that a diagnostic can point there."""
    template = compile_template({"a": "id ${ input.x } ${ steps.a.output }"})
    assert template.references == (Reference("input", ("x",), 6), Reference("steps", ("a", "output"), 19))
    assert [expression.text for expression in template.expressions] == ["input.x", "steps.a.output"]


def test_constant_template_is_known_and_gives_a_new_value_each_time() -> None:
    """A caller may change what it got."""
    template = compile_template({"a": ["$${x}", 1]})
    assert template.is_constant
    first = template.evaluate(DictBindings())
    assert isinstance(first, dict)
    first["a"] = None
    assert template.evaluate(DictBindings()) == {"a": ["${x}", 1]}
    assert not compile_template("${ 1 }").is_constant


def test_template_equals_and_pickles_by_source() -> None:
    """Two templates of one source are the same, also after a pickle."""
    template = compile_template({"a": "${ order }"}, frozenset({"order"}))
    again = pickle.loads(pickle.dumps(template))  # noqa: S301 - our own bytes
    assert again == template
    assert hash(again) == hash(template)
    assert again.evaluate(DictBindings({"order": 1})) == {"a": 1}


def test_failure_in_a_template_carries_the_expression() -> None:
    """The expression that failed is named, not the whole template."""
    with pytest.raises(ExpressionFailure) as caught:
        compile_template("a ${ input.zz } b").evaluate(DictBindings(DATA))
    assert caught.value.text == "input.zz"


def test_rendered_text_is_bounded() -> None:
    """Many large parts do not add up to more than a payload may hold."""
    bindings = DictBindings({"input": "x" * 1_500_000})
    with pytest.raises(ExpressionFailure, match="larger than 2 MiB"):
        compile_template("${ input }${ input }").evaluate(bindings)
