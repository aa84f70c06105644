"""Hostile expressions and data end with an error, in bounded memory, and never take the worker with them."""

import contextlib
import random
import resource
import time

import pytest

from contracts.json import Json
from tests.workflows.language.expressions.bindings import DictBindings
from workflows.language.expressions.cel import compile_expression
from workflows.language.expressions.model import ExpressionErrors, ExpressionFailure

MIB = 1024 * 1024


def peak_bytes() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def doubled(levels: int, seed: str, step: str, last: str) -> str:
    """Bind a0 to the seed and each further name to the step over the one before: 2^levels in a short text."""
    text = last.replace("$", f"a{levels}")
    for level in range(levels, 0, -1):
        text = f"cel.bind(a{level}, {step.replace('$', f'a{level - 1}')}, {text})"
    return f"cel.bind(a0, {seed}, {text})"


RUNAWAYS = [
    "input.xs.map(a, input.xs.map(b, input.xs.map(c, a)))",
    "input.xs.all(a, input.xs.all(b, input.xs.all(c, true)))",
    "input.xs.exists(a, input.xs.exists(b, input.xs.exists(c, a + b + c < 0)))",
    "input.xs.exists(a, (input.xs.exists(b, input.xs.exists(c, false)) || true) && false)",
    "input.xs.map(a, input.text + string(a))",
    "input.xs.map(a, input.text)",
    "input.xs.map(a, input.text.replace('a', 'bb'))",
    "input.text.replace('', input.text)",
    "input.text.replace('a', input.text)",
    "input.xs.map(a, input.text).join(input.text)",
    "'%s'.format([input.xs.map(a, input.xs.map(b, input.text))])",
    "input.xs.map(a, input.xs.map(b, '%.1000f'.format([1])))",
    "input.xs.map(a, input.text.matches('(x+x+)+y'))",
    "input.xs.map(a, input.text.split(''))",
    "input.xs.map(a, input.xs + input.xs)",
    "input.xs.all(a, input.xs.map(b, b * 1) == input.xs) ? 1 : input.xs.map(a, input.xs)",
    doubled(22, "'ab'", "$ + $", "size($)"),
    doubled(25, "[1]", "$ + $", "size($)"),
    doubled(25, "[1]", "[$, $]", "$"),
    doubled(25, "[1]", "[$, $]", "$ == $"),
    doubled(25, "[1]", "[$, $]", "'%s'.format([$])"),
    doubled(25, "{'a': 1}", "{'a': $, 'b': $}", "$ != $"),
    doubled(25, "[1]", "[$, $]", "$ in [$]"),
]


@pytest.mark.parametrize("text", RUNAWAYS)
def test_runaway_expression_fails_within_bounds(text: str) -> None:
    """Loops, doubling strings and lists that share their parts run out of budget before memory or time."""
    bindings = DictBindings({"input": {"xs": list(range(2000)), "text": "a" * 20_000}})
    expression = compile_expression(text)
    before = peak_bytes()
    with pytest.raises(ExpressionFailure) as caught:
        expression.evaluate(bindings)
    assert peak_bytes() - before < 128 * MIB
    assert len(str(caught.value)) < 2000


LONG = 250_000
COSTLY = [
    "input.ab.matches('(a|b|ab)*(a|b){1000}c')",
    "input.ab.matches('a.{300}c')",
    "input.ab.matches('(a|b)*a(a|b){18}c')",
    "input.ab.matches('a.{30}c')",
    "input.ab.matches('((a|b){10}){10}c')",
    "[1,2,3,4,5,6,7,8,9].all(x, ''.matches('\\\\pL{300}') || true)",
    "input.xs.all(x, ''.matches('\\\\pL\\\\pN') || true)",
    "input.xs.all(x, ''.matches('(?:[^a]{100}){9}') || true)",
    "''.matches(input.a)",
    "input.xs.all(x, ''.matches(input.a.substring(0, 2000)) || true)",
    "input.a.indexOf(input.needle)",
    "input.a.lastIndexOf(input.needle)",
    "input.a.lastIndexOf(input.middle)",
    "input.a.split(input.needle)",
    "input.a.replace(input.needle, '')",
    "input.a.contains(input.middle)",
    "input.a.split('')",
    "input.xs.map(x, input.a.indexOf(input.needle))",
    "input.xs.map(x, input.a.lastIndexOf('a', 1))",
    "input.xs.map(x, input.a.reverse())",
]
SECONDS = 1.0
"""Of a thread's CPU. What the budget allows takes a tenth of that; what is measured here, unbounded, up to minutes."""


@pytest.mark.parametrize("text", COSTLY)
def test_no_function_takes_longer_than_its_budget(text: str) -> None:
    """Whatever pattern, needle and text are: it is computed within the budget, or refused before it begins."""
    generator = random.Random(7)  # noqa: S311  # data, not secrets
    half = "a" * (LONG // 2)
    given: Json = {
        "ab": "".join(generator.choice("ab") for _ in range(LONG)),
        "a": "a" * 2 * LONG,
        "needle": f"{half}b",
        "middle": f"{half}b{half}",
        "xs": list(range(2000)),
    }
    bindings = DictBindings({"input": given})
    expression, began = compile_expression(text), time.thread_time()
    with contextlib.suppress(ExpressionFailure):
        expression.evaluate(bindings)
    assert time.thread_time() - began < SECONDS


def nested(levels: int) -> Json:
    """A list in a list in a list."""
    value: Json = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("text", ["input", "input == input", "'%s'.format([input])", "input in [input]"])
def test_deeply_nested_data_fails(text: str) -> None:
    """Data that is nested beyond reason is an error, not the end of the stack."""
    with pytest.raises(ExpressionFailure, match="nested"):
        compile_expression(text).evaluate(DictBindings({"input": nested(5000)}))


@pytest.mark.parametrize(
    "text",
    [
        "(" * 1000 + "1" + ")" * 1000,
        "[" * 500 + "]" * 500,
        "+".join("1" * 500),
        "x" + ".a" * 500,
        "[1].map(x, " * 40 + "x" + ")" * 40,
        "1" * 10_001,
        "\x00",
        "${ 1 }",
        "'" + "\\" * 99,
        "\ud800",
    ],
)
def test_hostile_text_is_refused(text: str) -> None:
    """Text that is too deep, too long or no text at all is refused when it is compiled."""
    with pytest.raises(ExpressionErrors):
        compile_expression(text)


def test_long_chains_of_conditions_are_fine() -> None:
    """The parser balances `&&`, so that many conditions are no deep nesting."""
    text = " && ".join(["input.x > 0"] * 300)
    assert compile_expression(text).evaluate(DictBindings({"input": {"x": 1}})) is True


def test_large_result_is_refused() -> None:
    """A result must fit a payload."""
    with pytest.raises(ExpressionFailure, match="larger than 2 MiB"):
        compile_expression("input").evaluate(DictBindings({"input": ["x" * 1000] * 3000}))


def test_message_does_not_repeat_large_names() -> None:
    """An object with many or long keys is described in a few words."""
    data = {f"{index}" + "k" * 5000: 1 for index in range(5000)}
    with pytest.raises(ExpressionFailure) as caught:
        compile_expression("input.x").evaluate(DictBindings({"input": data}))
    assert len(str(caught.value)) < 2000


def test_lone_surrogate_in_data_is_passed_on_or_refused() -> None:
    """Text that is not valid Unicode neither crashes a function of the library nor is it changed."""
    bindings = DictBindings({"input": "\ud800"})
    assert compile_expression("input").evaluate(bindings) == "\ud800"
    with pytest.raises(ExpressionFailure):
        compile_expression("input.upperAscii()").evaluate(bindings)


def test_whole_numbers_beyond_64_bits_pass_but_do_not_compute() -> None:
    """JSON may hold them; arithmetic refuses what the result would need."""
    bindings = DictBindings({"input": 2**70})
    assert compile_expression("input").evaluate(bindings) == 2**70
    assert compile_expression("input > 1").evaluate(bindings) is True
    with pytest.raises(ExpressionFailure):
        compile_expression("input + 1").evaluate(bindings)
    with pytest.raises(ExpressionFailure):
        compile_expression("'abc'.substring(input)").evaluate(bindings)
