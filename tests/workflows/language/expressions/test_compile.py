"""Compilation: what an expression refers to, and the mistakes that are found without data."""

import pickle

import pytest

from tests.workflows.language.expressions.bindings import DictBindings
from workflows.language.expressions.cel import compile_expression
from workflows.language.expressions.model import ExpressionErrors, ExpressionFailure, Finding, Reference


def test_references_name_each_place_with_its_offset() -> None:
    """Field paths from roots and steps are listed in order, up to the first computed index."""
    text = "input.a.b + steps.create_agent.output['id'] + vars.list[0].x + item"
    expression = compile_expression(text)
    assert expression.references == (
        Reference("input", ("a", "b"), 0),
        Reference("steps", ("create_agent", "output", "id"), 12),
        Reference("vars", ("list",), 46),
        Reference("item", (), 63),
    )
    assert expression.roots == {"input", "vars", "item"}
    assert expression.steps == ("create_agent",)


def test_references_leave_out_loop_variables() -> None:
    """A loop's variable hides a root of the same name, inside the loop only."""
    expression = compile_expression("input.map(item, item.x + vars.y) + item.z + cel.bind(run, 1, run)")
    assert [(reference.root, reference.path) for reference in expression.references] == [
        ("input", ()),
        ("vars", ("y",)),
        ("item", ("z",)),
    ]


def test_references_include_tests_and_optional_fields() -> None:
    """`has` and `.?` depend on a step as much as a plain look does."""
    expression = compile_expression("has(steps.a.output) || steps.?b.hasValue() || input[?'x'].hasValue()")
    assert expression.steps == ("a", "b")
    assert expression.roots == {"input"}


def test_extra_names_are_in_scope() -> None:
    """A foreach's own names can be used once they are given."""
    expression = compile_expression("order.total * n", frozenset({"order", "n"}))
    assert expression.evaluate(DictBindings({"order": {"total": 2}, "n": 3})) == 6


MISTAKES = [
    ("", 0, 1, "empty", None),
    ("  ", 0, 2, "empty", None),
    ("1 +", 3, 1, "ends too early", None),
    ("(((1", 4, 1, "ends too early", "expected ')'"),
    ("input.x ? 1", 11, 1, "ends too early", "expected ':'"),
    ("a = 1", 2, 1, "`=` is not an operator", "`==`"),
    ("a and b", 2, 3, "`and` is not an operator", "`&&`"),
    ("input.a b", 8, 1, "`b` is not expected here", None),
    ("'abc", 0, 4, "not closed", None),
    ("99999999999999999999", 0, 20, "invalid int literal", None),
    ("é + 1", 0, 1, "`é` is not expected here", None),
    ("'é' + inptu.x", 6, 5, "there is no `inptu` here", "did you mean `input`?"),
    ("input.x +\n  inptu.y", 12, 5, "there is no `inptu` here", "`input`"),
    ("steps.create-agent.output", 13, 5, "there is no `agent` here", "write steps.create_agent"),
    ("size(steps)", 5, 5, "not a value by itself", "steps.ID.output"),
    ("env.HOME", 0, 3, "environment is not visible", None),
    ("secrets.key", 0, 7, "secrets are not visible", None),
    ("1 + sise('a')", 4, 4, "there is no function `sise`", "did you mean `size`?"),
    ("'a'.startWith('b')", 4, 9, "there is no method `startWith`", "`startsWith`"),
    ("startsWith('a', 'b')", 0, 10, "not called in this way", "string.startsWith(string)"),
    ("'a'.contains()", 4, 8, "given 0 arguments", "string.contains(string)"),
    ("size('a', 'b')", 0, 4, "given 2 arguments", "size(string)"),
    ("math.ceil()", 0, 9, "given 0 arguments", "math.ceil(number)"),
    ("math.foo(1)", 0, 8, "there is no function `math.foo`", "math.floor"),
    ("Order{id: 1}", 0, 5, "no message type `Order`", "write a map"),
    ("has(input)", 4, 5, "has() argument must be a field selection", None),
    ("[1].map(1, 2)", 8, 1, "map() variable name must be a simple identifier", None),
    ("[1].map(a)", 4, 3, "there is no method `map`", None),
]


@pytest.mark.parametrize(("text", "offset", "length", "message", "hint"), MISTAKES)
def test_mistake_is_found_with_its_place(text: str, offset: int, length: int, message: str, hint: str | None) -> None:
    """Each mistake is reported where it stands, counted in characters, with a hint where one is known."""
    with pytest.raises(ExpressionErrors) as caught:
        compile_expression(text)
    finding = caught.value.findings[0]
    assert (finding.offset, finding.length) == (offset, length)
    assert message in finding.message
    assert (hint or "") in (finding.hint or "")


def test_all_unknown_names_are_reported_at_once() -> None:
    """One mistake does not hide the next."""
    with pytest.raises(ExpressionErrors) as caught:
        compile_expression("foo + bar(1) + [1].map(x, baz)")
    assert [finding.offset for finding in caught.value.findings] == [0, 6, 26]


def test_expression_pickles_by_text() -> None:
    """A pickled expression is compiled again and equal."""
    expression = compile_expression("order.x + 1", frozenset({"order"}))
    again = pickle.loads(pickle.dumps(expression))  # noqa: S301 - our own bytes
    assert again == expression
    assert again.evaluate(DictBindings({"order": {"x": 1}})) == 2


def test_errors_pickle() -> None:
    """Both errors survive the way between processes with their data."""
    errors = ExpressionErrors([Finding(1, 2, "wrong", "right", "/a")])
    failure = ExpressionFailure("a", "b", "c")
    assert pickle.loads(pickle.dumps(errors)).findings == errors.findings  # noqa: S301 - our own bytes
    again = pickle.loads(pickle.dumps(failure))  # noqa: S301 - our own bytes
    assert (again.text, again.message, again.hint, str(again)) == ("a", "b", "c", "b (c)")
