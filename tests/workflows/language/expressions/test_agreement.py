"""Agreement with Google's evaluator: what this language does not change on purpose is CEL as everybody knows it.

Random expressions and data are evaluated by both. Left out is what differs by design: sums of whole and fractional
numbers, `/` (true division here), the order of maps, `string()` of fractions, and uint.
"""

from typing import Any

import pytest
from cel_expr_python import cel  # type: ignore[import-untyped]  # its stubs come without a py.typed marker
from cel_expr_python.ext import (  # type: ignore[import-untyped]  # the same
    ext_bindings,
    ext_math,
    ext_optional,
    ext_strings,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.json import Json
from tests.workflows.language.expressions.bindings import DictBindings, evaluate
from workflows.language.expressions.cel import compile_expression
from workflows.language.expressions.export import to_json
from workflows.language.expressions.model import ExpressionFailure
from workflows.language.expressions.values import Fault

EXTENSIONS = [ext_bindings.ExtBindings(), ext_math.ExtMath(), ext_optional.ExtOptional(), ext_strings.ExtStrings()]
ENVIRONMENT = cel.NewEnv(variables={"input": cel.Type.DYN}, extensions=EXTENSIONS)
FAILED = "failed"


def googles(text: str, data: Json) -> Json:
    """Evaluate by Google's library; every failure is the same."""
    result = ENVIRONMENT.compile(text, disable_check=True).eval(data={"input": data})
    if result.type().name() == "ERROR":
        return FAILED
    value: Any = result.plain_value()
    try:
        return to_json(bytes(value) if isinstance(value, bytearray) else value)
    except Fault:
        return FAILED


def ours(text: str, data: Json) -> Json:
    """Evaluate by this language; every failure is the same."""
    try:
        return compile_expression(text).evaluate(DictBindings({"input": data}))
    except ExpressionFailure:
        return FAILED


def same(text: str, data: Json) -> None:
    """Insist on the same value of the same type from both."""
    assert repr(ours(text, data)) == repr(googles(text, data)), text


KEYS = st.sampled_from(["a", "b", "c", "key"])
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab\u00e9\U0001f600'\" ", max_size=4)
)  # fmt: skip
DATA = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
PATHS = st.lists(KEYS, max_size=4)


@given(data=DATA, path=PATHS)
@settings(max_examples=400, deadline=None)
@example(data={"a": {"b": [1]}}, path=["a", "b"])
@example(data={"a": None}, path=["a", "b"])
def test_plain_paths_agree(data: Json, path: list[str]) -> None:
    """The quick way for field paths gives what Google's evaluator gives."""
    same(".".join(["input", *path]), data)


@given(data=DATA, path=PATHS, last=KEYS)
@settings(max_examples=300, deadline=None)
def test_optional_paths_agree(data: Json, path: list[str], last: str) -> None:
    """`.?`, `[?]` and `has` look at the same things and fail at the same things."""
    place = ".".join(["input", *path])
    same(f"{place}.?{last}.hasValue()", data)
    same(f"{place}[?'{last}'].orValue('none')", data)
    same(f"has({place}.{last})", data)
    same(f"{place}.?{last}.?key.orValue(1)", data)


@given(left=DATA, right=DATA)
@settings(max_examples=300, deadline=None)
@example(left=1, right=1.0)
@example(left=True, right=1)
@example(left=[{"a": 2**53}], right=[{"a": float(2**53)}])
def test_equality_and_order_agree(left: Json, right: Json) -> None:
    """Equality, order and membership of any two values."""
    for sign in ("==", "!=", "<", "<=", ">", ">=", "in"):
        same(f"input[0] {sign} input[1]", [left, right])
    same("input[0] in [input[1], 1, 'a']", [left, right])


INTEGERS = st.integers(-5, 5) | st.integers(-(2**63), 2**63 - 1)
NUMBERS = st.recursive(
    st.sampled_from(["input.i", "input.j", "1", "7", "-3", "size(input.s)", "input.xs[0]", "input.xs[2]"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*%"), inner).map(lambda parts: f"({parts[0]} {parts[1]} {parts[2]})")
        | inner.map(lambda text: f"-({text})")
        | st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} > {parts[1]} ? {parts[2]} : {parts[0]})")
        | inner.map(lambda text: f"cel.bind(v, {text}, v + v)")
        | inner.map(lambda text: f"math.abs({text})")
    ),
    max_leaves=6,
)
BOOLEANS = st.recursive(
    st.tuples(NUMBERS, st.sampled_from(["<", "<=", "==", "!="]), NUMBERS).map(" ".join)
    | st.sampled_from(["true", "false", "input.b", "input.zz", "input.s == 'a'", "has(input.zz)"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda parts: f"({' '.join(parts)})")
        | inner.map(lambda text: f"!({text})")
        | st.tuples(st.sampled_from(["all", "exists", "exists_one"]), inner).map(
            lambda parts: f"input.xs.{parts[0]}(x, x > 0 && {parts[1]})"
        )
    ),
    max_leaves=5,
)
LISTS = st.tuples(NUMBERS, BOOLEANS).map(
    lambda parts: f"input.xs.filter(x, {parts[1]}).map(x, x % 7 > 1, [x, {parts[0]}]) + [[{parts[0]}]]"
)


@given(text=NUMBERS | BOOLEANS | LISTS, i=INTEGERS, j=INTEGERS, b=st.booleans(), xs=st.lists(INTEGERS, max_size=4))
@settings(max_examples=400, deadline=None)
def test_random_expressions_agree(text: str, i: int, j: int, b: bool, xs: list[Json]) -> None:
    """Whole-number arithmetic with overflow, logic that absorbs failures, conditions, macros."""
    same(text, {"i": i, "j": j, "b": b, "s": "a", "xs": xs})


@given(text=st.text("abc\u00e9\U0001f600 ,", max_size=8), part=st.text("abc\u00e9, ", max_size=2), n=st.integers(-2, 9))
@settings(max_examples=150, deadline=None)
def test_text_functions_agree(text: str, part: str, n: int) -> None:
    """Every function of text, in every shape of call."""
    data: Json = {"t": text, "p": part, "n": n}
    for call in (
        "size(input.t)", "input.t.size()", "input.t.contains(input.p)", "input.t.startsWith(input.p)",
        "input.t.endsWith(input.p)", "input.t.charAt(input.n)", "input.t.indexOf(input.p)",
        "input.t.indexOf(input.p, input.n)", "input.t.lastIndexOf(input.p)", "input.t.lastIndexOf(input.p, input.n)",
        "input.t.lowerAscii()", "input.t.upperAscii()", "input.t.replace(input.p, 'xy')",
        "input.t.replace(input.p, 'xy', input.n)", "input.t.split(input.p)", "input.t.split(input.p, input.n)",
        "input.t.substring(input.n)", "input.t.substring(0, input.n)", "input.t.trim()", "input.t.reverse()",
        "[input.t, input.p].join(input.p)", "strings.quote(input.t)", "input.t + input.p", "bytes(input.t)",
        "input.t.matches('^[a-c ]+$')", "'%s|%d|%s'.format([input.t, input.n, [input.p]])", "string(input.n)",
    ):  # fmt: skip
        same(call, data)


@given(x=st.floats(-1e9, 1e9), y=INTEGERS, n=st.integers(0, 70))
@settings(max_examples=100, deadline=None)
def test_mathematics_agrees(x: float, y: int, n: int) -> None:
    """Rounding, signs, extremes and bits, each on the kind of number that Google's library takes."""
    data: Json = {"x": x, "y": y, "n": n}
    for call in (
        "math.ceil(input.x)", "math.floor(input.x)", "math.round(input.x)", "math.trunc(input.x)", "math.abs(input.x)",
        "math.abs(input.y)", "math.sign(input.x)", "math.sign(input.y)", "math.greatest(input.x, 0.5)",
        "math.least(input.y, 3, -3)", "math.sqrt(math.abs(input.x))", "math.bitAnd(input.y, 255)",
        "math.bitOr(input.y, 1)", "math.bitXor(input.y, 12)", "math.bitNot(input.y)",
        "math.bitShiftLeft(input.y, input.n)", "math.bitShiftRight(input.y, input.n)", "int(input.x)",
        "double(input.y)", "math.isFinite(input.x)", "-input.x", "'%.3f %e %x'.format([input.x, input.x, input.y])",
    ):  # fmt: skip
        mine, theirs = ours(call, data), googles(call, data)
        assert (mine, type(mine)) == (theirs, type(theirs)), call  # by value: Google's library also rounds to -0.0


@given(seconds=st.integers(-62 * 10**9, 253 * 10**9), span=st.integers(-(10**9), 10**9), hours=st.integers(0, 14))
@settings(max_examples=100, deadline=None)
def test_times_agree(seconds: int, span: int, hours: int) -> None:
    """Parts of timestamps and durations, with and without a zone, and their text."""
    moment, length = f"timestamp({seconds})", f"duration('{span}ms')"
    for call in (
        *(f"{moment}.{part}()" for part in ("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek")),
        *(f"{moment}.{part}('+{hours:02}:30')" for part in ("getDayOfYear", "getHours", "getMinutes", "getSeconds")),
        *(f"{length}.{part}()" for part in ("getHours", "getMinutes", "getSeconds", "getMilliseconds")),
        f"{moment} + {length} - {moment} == {length}",
        f"int({moment})",
        f"string({moment})",
        f"{moment} < timestamp(0)",
    ):
        same(call, None)


@given(left=st.integers(-(2**62), 2**62 - 1) | st.floats(-1e15, 1e15), right=st.integers(-99, 99) | st.floats(0.5, 1e9))
@settings(max_examples=300, deadline=None)
def test_arithmetic_of_mixed_numbers_is_pythons(left: float, right: float) -> None:
    """Whole and fractional numbers mix as in Python, up to 64 bits."""
    assert evaluate("a + b", a=left, b=right) == left + right
    assert evaluate("a - b", a=left, b=right) == left - right
    if -(2**63) <= left * right < 2**63:
        assert evaluate("a * b", a=left, b=right) == left * right
    if right:
        assert evaluate("a / b", a=left, b=right) == left / right
        quotient = evaluate("a % b", a=left, b=right)
        assert isinstance(quotient, int | float)
        assert abs(quotient) < abs(right)
    assert evaluate("a < b", a=left, b=right) is (left < right)
    assert evaluate("a == b", a=left, b=right) is (left == right)
    assert type(evaluate("a + b", a=left, b=right)) is type(left + right)


@pytest.mark.parametrize("text", ["input.x + 1.5", "input.x / 2", "string(100000000.0)", "math.ceil(input.x)"])
def test_changed_on_purpose(text: str) -> None:
    """These differ from Google's evaluator: should the library change, the documentation must."""
    assert repr(ours(text, {"x": 3})) != repr(googles(text, {"x": 3}))
