"""Functions that Google's CEL library computes for us, called by name with plain values.

Text functions, regular expressions (RE2: linear time, whatever the pattern), and the reading of timestamps, durations
and numbers stay the library's, so that they mean the same as in every other CEL. Each name and combination of argument
types is compiled once.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache

from cel_expr_python import cel  # type: ignore[import-untyped]  # its stubs come without a py.typed marker
from cel_expr_python.ext import ext_strings  # type: ignore[import-untyped]  # the same

from workflows.language.expressions.values import Fault

_LETTERS = {bool: "b", int: "i", float: "d", str: "s", datetime: "t", timedelta: "u", bytes: "y"}
_MOST_ARGUMENTS = 4


@cache
def _environment() -> cel.Env:
    kind = cel.Type
    types = (kind.BOOL, kind.INT, kind.DOUBLE, kind.STRING, kind.TIMESTAMP, kind.DURATION, kind.BYTES)
    letters = zip(_LETTERS.values(), types, strict=True)
    variables = {f"{letter}{at}": type_ for letter, type_ in letters for at in range(_MOST_ARGUMENTS)}
    return cel.NewEnv(variables=variables, extensions=[ext_strings.ExtStrings()])


@cache
def _program(function: str, method: bool, names: tuple[str, ...]) -> cel.Expression:
    call = f"{names[0]}.{function}({', '.join(names[1:])})" if method else f"{function}({', '.join(names)})"
    return _environment().compile(call)


def library_call(function: str, method: bool, *arguments: object) -> object:
    """Compute one function.

    Raises:
        Fault: The library refuses the values, in its own words.
    """
    names = tuple(f"{_LETTERS[type(value)]}{at}" for at, value in enumerate(arguments))
    data: Mapping[str, object] = dict(zip(names, arguments, strict=True))
    try:
        result = _program(function, method, names).eval(data=data)
        failed, value = result.type().name() == "ERROR", result.plain_value()
    except (RuntimeError, ValueError, OverflowError) as error:
        raise Fault(f"`{function}` failed: {error}") from None
    if failed:
        raise Fault(f"`{function}` failed: {str(value).partition(': ')[2]}")
    return bytes(value) if isinstance(value, bytearray) else value
