"""What expressions compute: a table of CEL's behaviours, with this language's own rules for numbers."""

import math

import pytest

from contracts.json import Json
from tests.workflows.language.expressions.bindings import DictBindings
from workflows.language.expressions.cel import compile_expression
from workflows.language.expressions.model import ExpressionFailure

DATA = {
    "input": {
        "n": 5,
        "p": 1.5,
        "whole": 3.0,
        "text": "abc",
        "yes": True,
        "none": None,
        "xs": [3, 1, 2],
        "people": [{"name": "Ada", "age": 36}, {"name": "Alan", "age": 41}],
        "map": {"b": 2, "a": 1, "c": 3},
        "a-b": {"c.d": 1},
    },
    "run": {"id": "r1", "started_at": None},
}
STEPS = {"quote": {"output": {"total": 12.5, "lines": []}, "status": "completed", "error": None}}

ARITHMETIC: list[tuple[str, Json]] = [
    ("1 + 2", 3),
    ("input.n + 1.5", 6.5),
    ("input.p * 2", 3.0),
    ("input.n / 2", 2.5),
    ("6 / 2", 3.0),
    ("7 - 10", -3),
    ("7 % 4", 3),
    ("-7 % 4", -3),
    ("7 % -4", 3),
    ("7.5 % 2", 1.5),
    ("-input.p", -1.5),
    ("-(-9223372036854775807) == 9223372036854775807", True),
    ("9223372036854775807", 2**63 - 1),
    ("-9223372036854775808", -(2**63)),
    ("1u + 2u", 3),
    ("0x1F", 31),
    ("1e3", 1000.0),
    ("1 == 1.0 && 1.0 == 1", True),
    ("true == 1", False),
    ("1 < 1.5 && 2.0 >= 2 && 3 > 2.9 && 1 <= 1.0", True),
    ("1 in [2, 1.0]", True),
    ("true in [1]", False),
    ("[1, {'a': 2}] == [1.0, {'a': 2.0}]", True),
    ("[1, 2] == [1]", False),
    ("{'a': 1} == {'b': 1}", False),
    ("null == null", True),
    ("input.none == 0", False),
    ("'1' == input.n", False),
    ("9007199254740993 == 9007199254740992.0", False),
]

TEXT: list[tuple[str, Json]] = [
    ("'a' + \"b\"", "ab"),
    ("size('héllo')", 5),
    ("'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c')", True),
    ("'abc'.matches('^a.c$') && matches('abc', 'b')", True),
    ("'tacocat'.charAt(3)", "o"),
    ("'abcabc'.indexOf('b') + 'abcabc'.lastIndexOf('b')", 5),
    ("'abcabc'.indexOf('b', 2)", 4),
    ("'Hello'.lowerAscii() + 'Hello'.upperAscii()", "helloHELLO"),
    ("'a-b-c'.replace('-', '+')", "a+b+c"),
    ("'aaa'.replace('a', 'b', 2)", "bba"),
    ("'ab'.replace('', '.')", ".a.b."),
    ("'a,b,c'.split(',')", ["a", "b", "c"]),
    ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
    ("['a', 'b'].join() + ['a', 'b'].join('-')", "aba-b"),
    ("'abcdef'.substring(2) + 'abcdef'.substring(0, 2)", "cdefab"),
    ("'abcdef'.substring(input.whole)", "def"),
    ("'  x '.trim()", "x"),
    ("'abc'.reverse()", "cba"),
    ("strings.quote('a\"b')", '"a\\"b"'),
    (
        "'%s is %d, %.2f %e %x %X %o %b %%'.format(['n', 3.0, 2, 1.5, 255, 255, 8, 5])",
        "n is 3, 2.00 1.500000e+00 ff FF 10 101 %",
    ),
    (
        "'%s'.format([[1.5, null, true, b'x', 'y', {'b': 1, 'a': duration('3s')}]])",
        "[1.5, null, true, x, y, {a: 3s, b: 1}]",
    ),
    ("'%s %s %d'.format([now, type(1), 1.5])", "2024-01-02T03:04:05.678901Z int 1.5"),
    ("'%x'.format(['ab'])", "6162"),
    ("string(1.0) + string(100000000.0) + string(0.1)", "11000000000.1"),
    ("string(1e300)", "1e+300"),
    ("string(7) + string(true) + string(b'x')", "7truex"),
    ("string(now) + ' ' + string(duration('90m'))", "2024-01-02T03:04:05.678901Z 5400s"),
    ("int('12') + int(3.9) + int(-3.9)", 12),
    ("double('1.5') + double(1)", 2.5),
    ("uint(3.7)", 3),
    ("bool('true')", True),
    ("'z' > 'a' && 'B' < 'a'", True),
    (r"'\u00e9\n' == 'é' + '\x0a' && r'\d' == '\\d'", True),
    ("b'abc'", "YWJj"),
    ("size(bytes('é'))", 2),
    ("b'a' + b'b' == b'ab'", True),
]

STRUCTURES: list[tuple[str, Json]] = [
    ("[1, 'a', [true]]", [1, "a", [True]]),
    ("[1] + [2, 3]", [1, 2, 3]),
    ("input.xs[0] + input.xs[2.0]", 5),
    ("{'b': 1, 'a': 2}", {"a": 2, "b": 1}),
    ("{1: 'one'}[1.0]", "one"),
    ("{1: 'one', 'two': 2}", {"1": "one", "two": 2}),
    ("'a' in input.map && !('z' in input.map)", True),
    ("input['a-b']['c.d']", 1),
    ("input.map['b']", 2),
    ("size(input.map) + input.xs.size() + size({})", 6),
    ("input.people[1].name", "Alan"),
    ("steps.quote.output.total * 2", 25.0),
    ("steps['quote'].status", "completed"),
    ("input.map", {"a": 1, "b": 2, "c": 3}),
    ("has(input.n) && !has(input.zz)", True),
    ("has(input.none)", True),
    ("has(steps.later.output) || has(steps.later)", False),
    ("has(steps.quote.output.total)", True),
    ("input.?zz.orValue(7)", 7),
    ("input.?n.orValue(7)", 5),
    ("input.?none.orValue(7)", None),
    ("input[?'n'].hasValue() && !input.?zz.?deeper.hasValue()", True),
    ("input.?map.b.value()", 2),
    ("input.xs[?9].orValue(0) + input.xs[?0].orValue(0)", 3),
    ("input.?zz.or(input.?n).value()", 5),
    ("input.?n.optMap(v, v + 1).orValue(0)", 6),
    ("input.?zz.optFlatMap(v, optional.of(1)).hasValue()", False),
    ("optional.none()", None),
    ("optional.ofNonZeroValue('').hasValue() || optional.ofNonZeroValue(0.0).hasValue()", False),
    ("optional.ofNonZeroValue(3).value()", 3),
    ("[1, ?input.?zz, ?input.?n]", [1, 5]),
    ("{'a': 1, ?'b': input.?zz, ?'c': input.?n}", {"a": 1, "c": 5}),
    ("steps.?later.?output.orValue('none yet')", "none yet"),
    ("steps.?quote.output.total.orValue(0)", 12.5),
    ("input.?n.orValue(input.zz)", 5),
    ("type(1) == int && type(1.0) == double && type('') == string && type([]) == list && type({}) == map", True),
    ("type(null) == null_type && type(true) == bool && type(b'') == bytes && type(int) == type", True),
    ("dyn(1) == 1", True),
]

LOOPS: list[tuple[str, Json]] = [
    ("input.xs.map(x, x * 1.5)", [4.5, 1.5, 3.0]),
    ("input.xs.map(x, x > 1, x * 10)", [30, 20]),
    ("input.xs.filter(x, x > 1)", [3, 2]),
    ("input.xs.all(x, x > 0) && input.xs.exists(x, x == 2) && input.xs.exists_one(x, x == 3)", True),
    ("[].all(x, false) && ![].exists(x, true)", True),
    ("input.map.map(k, k)", ["a", "b", "c"]),
    ("input.map.filter(k, input.map[k] > 1)", ["b", "c"]),
    ("{3: 'x', 1: 'y', 'a': 'z'}.map(k, string(k))", ["1", "3", "a"]),
    ("input.xs.map(x, input.xs.map(y, x * y))", [[9, 3, 6], [3, 1, 2], [6, 2, 4]]),
    ("input.xs.map(x, [x].map(x, x + 1))", [[4], [2], [3]]),
    ("input.people.filter(p, p.age > 40).map(p, p.name)", ["Alan"]),
    ("[0, 1].exists(x, 1 / x > 0)", True),
    ("[0, 1].all(x, 1 / x > 2)", False),
    ("cel.bind(a, input.n, a * a)", 25),
    ("cel.bind(a, 1, cel.bind(b, a + 1, [a, b]))", [1, 2]),
    ("[uuid(), uuid()] + [1, 2].map(x, uuid())", ["uuid-1", "uuid-2", "uuid-3", "uuid-4"]),
    ("input.yes ? 'y' : 'n'", "y"),
    ("true || input.zz", True),
    ("input.zz || true", True),
    ("input.zz && false", False),
    ("!(input.yes && false)", True),
]

TIME: list[tuple[str, Json]] = [
    ("now", "2024-01-02T03:04:05.678901Z"),
    ("timestamp('2024-01-01T00:00:00+01:00')", "2023-12-31T23:00:00Z"),
    ("timestamp(0)", "1970-01-01T00:00:00Z"),
    ("int(timestamp('1970-01-01T00:01:00Z'))", 60),
    ("timestamp('2024-01-01T00:00:00Z') + duration('1h30m')", "2024-01-01T01:30:00Z"),
    ("duration('1s') + timestamp(0)", "1970-01-01T00:00:01Z"),
    ("timestamp(90) - timestamp(0)", "90s"),
    ("timestamp(90) - duration('30s')", "1970-01-01T00:01:00Z"),
    ("duration('1h') - duration('90m')", "-1800s"),
    ("duration('3.5s')", "3.5s"),
    ("duration('1h') > duration('59m') && now > timestamp(0)", True),
    ("now.getFullYear() * 10000 + (now.getMonth() + 1) * 100 + now.getDate()", 20240102),
    ("[now.getDayOfWeek(), now.getDayOfYear(), now.getDayOfMonth()]", [2, 1, 1]),
    ("[now.getHours(), now.getMinutes(), now.getSeconds(), now.getMilliseconds()]", [3, 4, 5, 678]),
    ("[now.getHours('Europe/Berlin'), now.getHours('-02:30'), now.getDate('-05:00')]", [4, 0, 1]),
    ("[duration('5000s').getHours(), duration('5000s').getMinutes(), duration('5s').getSeconds()]", [1, 83, 5]),
    ("{'at': now, 'in': [duration('1s')]}", {"at": "2024-01-02T03:04:05.678901Z", "in": ["1s"]}),
]

MATH: list[tuple[str, Json]] = [
    ("math.greatest(1, 2.5, 2)", 2.5),
    ("math.least([3, 1])", 1),
    (
        "[math.ceil(1.2), math.floor(1.8), math.trunc(-1.5), math.round(2.5), math.round(-2.5)]",
        [2.0, 1.0, -1.0, 3.0, -3.0],
    ),
    ("math.round(0.49999999999999994)", 0.0),
    ("[math.ceil(5), math.round(5)]", [5, 5]),
    ("[math.abs(-5), math.abs(-1.5), math.sign(-2.0), math.sign(7), math.sqrt(4)]", [5, 1.5, -1.0, 1, 2.0]),
    ("math.isNaN(1.0) || math.isInf(1.0) || !math.isFinite(1)", False),
    ("[math.bitAnd(6, 3), math.bitOr(6, 3), math.bitXor(6, 3), math.bitNot(5)]", [2, 7, 5, -6]),
    (
        "[math.bitShiftLeft(1, 62), math.bitShiftLeft(1, 63), math.bitShiftLeft(1, 64), math.bitShiftRight(-8, 1)]",
        [2**62, -(2**63), 0, 2**63 - 4],
    ),
]


@pytest.mark.parametrize(("text", "expected"), [*ARITHMETIC, *TEXT, *STRUCTURES, *LOOPS, *TIME, *MATH])
def test_expression_computes(text: str, expected: Json) -> None:
    """Each expression has this value, of this very type, maps in sorted order."""
    value = compile_expression(text).evaluate(DictBindings(DATA, STEPS))
    assert value == expected
    assert repr(value) == repr(expected)


FAILURES = [
    ("1 / 0", "division by zero: 1 / 0", None),
    ("1 % 0.0", "division by zero", None),
    ("9223372036854775807 + 1", "too large", None),
    ("-input.smallest", "too large", None),
    ("1e308 * 10", "too large", None),
    ("'a' + 1", "cannot combine a string and a number", "string(...)"),
    ("'a' < 1", "cannot compare a string with a number", None),
    ("true + true", "cannot combine a bool and a bool", None),
    ("-'a'", "`-` needs a number, not a string", None),
    ("!'a'", "needs true or false, not a string", 'compare it: ... != ""'),
    ("1 ? 2 : 3", "`? :` needs true or false, not a number", "compare it: ... != 0"),
    ("[1].filter(x, x)", "filter() needs true or false", None),
    ("[1].exists(x, 'a')", "exists() needs true or false", None),
    ("input.amonut", "does not exist; the fields there are amount, items, smallest", "did you mean `amount`?"),
    ("input.items.name", "there is no field `name`: `input.items` is a list", None),
    ("input.amount.x.y", "there is no field `x`: `input.amount` is a number", None),
    ("input.items[0].amuont", "`amuont` does not exist; the fields there are amount", "`amount`"),
    ("input.items[1]", "there is no element 1 in `input.items`: it has 1", None),
    ("input.items[-1]", "there is no element -1", None),
    ("input.items[0.5]", "a whole number is needed here, not 0.5", None),
    ("input.items['0']", "there is no field `0`", None),
    ("input[true]", "cannot be looked into with a bool", None),
    ("{}.x", "there are no fields there", None),
    ("{1: 2}[3]", "does not exist", None),
    ("steps.later.output", "step `later` has not run", "has(steps.later.output)"),
    ("event.type", "`event` has no value here", None),
    ("has(input.amount.x)", "has() cannot look for `x` in a number", None),
    ("input.amount.?x", "there is no field `x`", None),
    ("input.?zz.value()", "the optional value is empty", ".orValue(...)"),
    ("[?1]", "needs an optional value", None),
    ("{'a': 1, 'a': 2}", "'a' stands twice", None),
    ("{1.5: 2}", "a map's key must be", None),
    ("{true: 2}", "a map's key must be", None),
    ("{1: 1, '1': 2}", "two keys of a map are the same text", None),
    ("null in {'a': 1}", "null cannot be a key of an object", None),
    ("1 in 5", "`in` needs a list or an object", None),
    ("5.map(x, x)", "only a list or an object can be iterated, not a number", None),
    ("size(5)", "`size` takes size(string) or size(list)", None),
    ("type(1)", "the result is a type, which has no JSON form", None),
    ("[1].join(',')", "`join` needs a list of strings; it holds a number", ".map(x, string(x))"),
    ("math.greatest(input.items.filter(i, false))", "not an empty list", None),
    ("math.least(input.items)", "not an object", None),
    ("math.sqrt(-1)", "not negative", None),
    ("math.bitShiftLeft(1, -1)", "not negative", None),
    ("uint(-1)", "not negative", None),
    ("int('1x')", "`int` failed", None),
    ("int(1e30)", "too large", None),
    ("double('NaN')", "not a number", None),
    ("timestamp('yesterday')", "`timestamp` failed", None),
    ("timestamp(9223372036854775807)", "out of range", None),
    ("timestamp('9999-12-31T23:59:59Z') + duration('1h')", "too large", None),
    ("timestamp('9999-12-31T23:59:59Z').getHours('+05:00')", "out of range", None),
    ("now.getHours('Mars/Base')", "there is no time zone 'Mars/Base'", "Europe/Berlin"),
    ("now.getHours('Europe')", "there is no time zone", None),
    ("now.getHours('../etc/passwd')", "there is no time zone", None),
    ("'a'.matches('(')", "invalid regular expression", None),
    ("'a'.substring(5)", "`substring` failed", None),
    ("'%q'.format([1])", "format() does not know `%q`", None),
    ("'%'.format([1])", "format() does not know", None),
    ("'%s %s'.format([1])", "given 1 values, which is too few", None),
    ("'%d'.format(['a'])", "`%d` of format() needs a whole number, not a string", None),
    ("'%f'.format(['a'])", "`%f` of format() needs a number, not a string", None),
    ("'%.1001f'.format([1])", "at most 1000 decimals", None),
    ("'%s'.format([optional.none()])", "cannot show an optional value", None),
    ("string(b'\\xff')", "`string` failed", None),
    ("now - 1", "cannot combine a timestamp and a number", None),
    ("input.items || 1 == 1.5", "`||` needs true or false, not a list", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "hint"), FAILURES)
def test_failure_says_why(text: str, message: str, hint: str | None) -> None:
    """What has no value fails with the reason in plain words, and a hint where one is known."""
    data = {"input": {"amount": 1, "items": [{"amount": 2}], "smallest": -(2**63)}}
    with pytest.raises(ExpressionFailure) as caught:
        compile_expression(text).evaluate(DictBindings(data))
    assert caught.value.text == text
    assert message in caught.value.message
    if hint is not None:
        assert hint in (caught.value.hint or "")


def test_number_that_is_not_json_fails() -> None:
    """A NaN that slipped into the data does not come out as a result."""
    with pytest.raises(ExpressionFailure, match="not a number"):
        compile_expression("input").evaluate(DictBindings({"input": [math.nan]}))


def test_result_shares_nothing_with_the_data() -> None:
    """A caller may change a result without changing the run's data."""
    data = {"input": {"xs": [1]}}
    result = compile_expression("input.xs").evaluate(DictBindings(data))
    assert isinstance(result, list)
    result.append(2)
    assert data == {"input": {"xs": [1]}}
