"""The same answer in every process and in every thread."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.workflows.language.expressions.bindings import DictBindings
from workflows.language.expressions.cel import compile_expression

PROGRAM = """
import json
from tests.workflows.language.expressions.bindings import DictBindings
from workflows.language.expressions.cel import compile_expression
from workflows.language.expressions.model import ExpressionErrors, ExpressionFailure
from workflows.language.expressions.template import compile_template
from workflows.language.expressions.types import check, type_of_schema

names = set("zebra apple mango kiwi fig plum lime pear".split())
data = {"m": {name: len(name) for name in names}, "n": 3, "p": 1.5, "xs": [3, 1.5, 2]}
texts = [
    "input.m", "input.m.map(k, k)", "input.m.filter(k, input.m[k] > 3)", "input.m.map(k, {k: input.m[k] * input.p})",
    "{'z': 1, 'y': 2, 'x': 3}.map(k, k + uuid())", "input.xs.map(x, x * input.n / 7)",
    "{'b': {'d': 1, 'c': 2}, 'a': now}",
    "'%s'.format([input.m])", "input.m.zebr", "input.m == {'a': 1}", "[uuid(), uuid()]",
    "inpt.x", "foo(1)", "string(0.1 + 0.2) + string(1e22)",
]
for text in texts:
    try:
        expression = compile_expression(text)
        print(text, json.dumps(expression.evaluate(DictBindings({"input": data}))), expression.references)
    except (ExpressionErrors, ExpressionFailure) as error:
        print(text, error)
schema = {"properties": {name: {"type": ["string", "number"]} for name in sorted(names)}}
print(check(compile_template({"a": "${ input.zebr + input.lime + true }"}), {"input": type_of_schema(schema)}, {}))
print(compile_template("${ input.m } ${ input.xs }").evaluate(DictBindings({"input": data})))
"""


@pytest.mark.integration
@pytest.mark.unmeasured
def test_answers_are_byte_equal_in_fresh_processes() -> None:
    """Twenty processes with different hash seeds print the same bytes: values, errors, references and findings."""
    outputs = set()
    for seed in range(20):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed * 7919 + 1)}
        run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, env=environment, check=True)  # noqa: S603 - our own program
        outputs.add(run.stdout)
    assert len(outputs) == 1
    assert b"zebra" in outputs.pop()


def test_one_expression_serves_many_threads() -> None:
    """An evaluation keeps its variables to itself."""
    expression = compile_expression("input.xs.map(x, input.xs.filter(y, y >= x).map(y, x * y)) + [[input.n]]")

    def run(number: int) -> bool:
        xs = list(range(number, number + 20))
        expected = [[x * y for y in xs if y >= x] for x in xs] + [[number]]
        return expression.evaluate(DictBindings({"input": {"xs": xs, "n": number}})) == expected

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, range(400)))
