"""Expressions: syntax, names, steps that can have run, types, and places in the file."""

# ruff: noqa: E501 - the tables hold lines of YAML

from __future__ import annotations

import pytest

from tests.workflows.language.check.checking import Case, found_in_steps

INPUT = """
        input:
          properties:
            amount: {type: number}
            lines: {type: array, items: {type: object, properties: {sku: {type: string}}}}
        """
"""What the definitions of this table take, where it matters."""

WRONG = [
    Case(
        "syntax",
        "- {id: charge, action: shop.pay, if: input.amount >}",
        head=INPUT,
        found=[
            "1:52 bad-expression: the expression ends too early",
        ],
    ),
    Case(
        "a string that is never closed",
        '- {id: charge, action: shop.pay, with: {to: "${ input.amount "}}',
        head=INPUT,
        found=[
            "1:46 bad-expression: this `${` is never closed | close it with `}`, or write `$${` for the text",
        ],
    ),
    Case(
        "an unknown name",
        '- {id: charge, action: shop.pay, with: {to: "${ inputt.amount }"}}',
        head=INPUT,
        found=[
            "1:49 bad-expression: there is no `inputt` here | did you mean `input`?",
        ],
    ),
    Case(
        "the environment",
        '- {id: charge, action: shop.pay, with: {to: "${ env.HOME }"}}',
        head=INPUT,
        found=[
            "1:49 bad-expression: the environment is not visible in expressions: name a connection or a "
            "secret reference instead",
        ],
    ),
    Case(
        "a field of the input",
        "- {id: charge, action: shop.pay, if: input.amonut > 3}",
        head=INPUT,
        found=[
            "1:44 type-error: `input.amonut` does not exist; the fields there are amount, lines | did you "
            "mean `amount`?",
        ],
    ),
    Case(
        "types that do not fit",
        "- {id: charge, action: shop.pay, with: {to: \"${ 'a' + 1 }\"}}",
        head=INPUT,
        found=[
            "1:53 type-error: `+` cannot combine a string and a number | turn the number into text: string(...)",
        ],
    ),
    Case(
        "a condition that is no condition",
        "- {id: charge, action: shop.pay, if: input.amount}",
        head=INPUT,
        found=[
            "1:38 type-error: a condition must be true or false, this is a number | compare it with "
            "something: ==, !=, <, >",
        ],
    ),
    Case(
        "the end of a loop that is no condition",
        "- {id: again, until: input.amount, max: 2, steps: [{id: inner, action: shop.pay}]}",
        head=INPUT,
        found=[
            "1:22 type-error: a condition must be true or false, this is a number | compare it with "
            "something: ==, !=, <, >",
        ],
    ),
    Case(
        "values that keys cannot take",
        """
        - {id: each, items: 3, steps: [{id: inner, action: shop.pay}]}
        - {id: rest, for: "${ [1] }"}
        - {id: sleep, until: "${ 3 }"}
        - {id: ask, approvers: {a: 1}}
        - {id: child, workflow: other, key: [1]}
        """,
        head=INPUT,
        found=[
            "1:21 type-error: `items` takes a list, this is a number",
            "2:20 type-error: `for` takes a string or number or duration, this is a list",
            "3:23 type-error: `until` takes a string or timestamp, this is a number",
            "4:24 type-error: `approvers` takes a list or string, this is an object",
            "5:37 type-error: `key` takes a string or number, this is a list",
        ],
    ),
    Case(
        "an output",
        """
        - {id: quote, action: shop.quote, with: {sku: a}}
        - {id: charge, action: shop.pay, with: {to: "${ steps.quote.output.totl }"}}
        """,
        head=INPUT,
        found=[
            "2:68 type-error: `steps.quote.output.totl` does not exist; the fields there are lines, total | "
            "did you mean `total`?",
        ],
    ),
    Case(
        "an item",
        """
        - {id: each, items: "${ input.lines }", as: line, steps: [{id: charge, action: shop.pay, with: {to: "${ line.skuu }"}}]}
        """,
        head=INPUT,
        found=[
            "1:110 type-error: `line.skuu` does not exist; the fields there are sku | did you mean `sku`?",
        ],
    ),
    Case(
        "a variable",
        """
        - {id: assign, vars: {count: 1}}
        - {id: charge, action: shop.pay, with: {to: "${ vars.cuont }"}}
        """,
        head=INPUT,
        found=[
            "2:54 type-error: `vars.cuont` does not exist; the fields there are count | did you mean `count`?",
        ],
    ),
    Case(
        "a form",
        """
        - {id: ask, form: {type: object, properties: {budget: {type: number}}}}
        - {id: charge, action: shop.pay, with: {to: "${ steps.ask.output.data.budgt }"}}
        """,
        head=INPUT,
        found=[
            "2:71 type-error: `steps.ask.output.data.budgt` does not exist; the fields there are budget | "
            "did you mean `budget`?",
        ],
    ),
    Case(
        "a step that does not exist",
        """
        - {id: quote, action: shop.quote, with: {sku: a}}
        - {id: charge, action: shop.pay, with: {to: "${ steps.qoute.output }"}}
        """,
        head=INPUT,
        found=[
            "2:49 unknown-step: there is no step `qoute` | did you mean 'quote'?",
        ],
    ),
    Case(
        "a later step",
        """
        - {id: charge, action: shop.pay, if: steps.quote.output.total > 3}
        - {id: quote, action: shop.quote, with: {sku: a}}
        """,
        head=INPUT,
        found=[
            "1:38 step-not-before: `steps.quote` cannot have run here: it comes later | use it in a step after it",
        ],
    ),
    Case(
        "itself",
        '- {id: charge, action: shop.pay, with: {to: "${ steps.charge.output }"}}',
        head=INPUT,
        found=[
            "1:49 step-not-before: `steps.charge` cannot have run here: it is this step itself | its output "
            "is there for the steps after it, and for its `compensate`",
        ],
    ),
    Case(
        "another branch",
        """
        - id: both
          branches:
            left: [{id: one, action: shop.pay}]
            right: [{id: two, action: shop.pay, with: {to: "${ steps.one.output }"}}]
        """,
        head=INPUT,
        found=[
            "4:56 step-not-before: `steps.one` cannot have run here: no path leads from it to this step | "
            "it is on another branch, or another way of a decision",
        ],
    ),
    Case(
        "another branch in graph shape",
        """
        - {id: both, type: parallel, next: [one, two]}
        - {id: one, action: shop.pay}
        - {id: two, action: shop.pay, with: {to: "${ steps.one.output }"}}
        """,
        head=INPUT,
        found=[
            "3:46 step-not-before: `steps.one` cannot have run here: no path leads from it to this step | "
            "it is on another branch, or another way of a decision",
        ],
    ),
    Case(
        "another way of a decision",
        """
        - {id: choose, condition: 'true', next: [one, two]}
        - {id: one, action: shop.pay}
        - {id: two, action: shop.pay, with: {to: "${ steps.one.output }"}}
        """,
        head=INPUT,
        found=[
            "3:46 step-not-before: `steps.one` cannot have run here: no path leads from it to this step | "
            "it is on another branch, or another way of a decision",
        ],
    ),
    Case(
        "another catch",
        """
        - id: attempt
          type: try
          steps: [{id: charge, action: shop.pay}]
          catch:
            - {errors: [timeout], steps: [{id: one, action: shop.pay}]}
            - {steps: [{id: two, action: shop.pay, with: {to: "${ steps.one.output }"}}]}
        """,
        head=INPUT,
        found=[
            "6:59 step-not-before: `steps.one` cannot have run here: no path leads from it to this step | "
            "it is on another branch, or another way of a decision",
        ],
    ),
    Case(
        "inside a foreach",
        """
        - {id: each, items: [1], steps: [{id: inner, action: shop.pay}]}
        - {id: charge, action: shop.pay, with: {to: "${ steps.inner.output }"}}
        """,
        head="""
        input:
          properties:
            amount: {type: number}
            lines: {type: array, items: {type: object, properties: {sku: {type: string}}}}
        output: ${ steps.inner.output }
        """,
        found=[
            "2:49 step-not-before: `steps.inner` cannot have run here: it is inside the loop 'each' | "
            "choose what you need with `collect` and use steps.each.output",
            "7:12 step-not-before: `steps.inner` cannot have run here: it is inside the loop 'each' | "
            "choose what you need with `collect` and use steps.each.output",
        ],
    ),
    Case(
        "inside a repeat",
        """
        - {id: again, until: 'true', max: 2, steps: [{id: inner, action: shop.pay}]}
        - {id: charge, action: shop.pay, with: {to: "${ steps.inner.output }"}}
        """,
        head=INPUT,
        found=[
            "2:49 step-not-before: `steps.inner` cannot have run here: it is inside the loop 'again' | "
            "assign what you need with `carry` or `set`, or use steps.again.output",
        ],
    ),
    Case(
        "a loop from inside",
        """
        - {id: each, items: [1], collect: "${ steps.each.output }", steps: [{id: inner, action: shop.pay, with: {to: "${ steps.each.output }"}}]}
        """,
        head=INPUT,
        found=[
            "1:39 step-not-before: `steps.each` cannot have run here: it is this step itself | its output "
            "is there for the steps after it, and for its `compensate`",
        ],
    ),
    Case(
        "an item outside of a loop",
        '- {id: charge, action: shop.pay, with: {to: "${ item + index }"}}',
        head=INPUT,
        found=[
            "1:49 not-in-scope: `item` has no value here | only the steps of a foreach, and its `collect`, see an item",
            "1:56 not-in-scope: `index` has no value here | only the steps of a foreach or repeat see an index",
        ],
    ),
    Case(
        "the usual name where `as` was given",
        """
        - {id: each, items: [1], as: line, steps: [{id: inner, action: shop.pay, with: {to: "${ item }"}}]}
        """,
        head=INPUT,
        found=[
            "1:89 not-in-scope: `item` has no value here | here it is called `line`",
        ],
    ),
    Case(
        "an error where none happened",
        """
        - {id: charge, action: shop.pay, on_error: fix, with: {to: "${ error.type }"}, next: last}
        - {id: last, action: shop.pay, with: {to: "${ error.type }"}}
        - {id: fix, action: shop.pay}
        """,
        head=INPUT,
        found=[
            "1:64 not-in-scope: `error` has no value here | only a `catch`, or a step that `on_error` leads "
            "to, sees an error",
            "2:47 not-in-scope: `error` has no value here | only a `catch`, or a step that `on_error` leads "
            "to, sees an error",
        ],
    ),
    Case(
        "an event outside of triggers",
        '- {id: charge, action: shop.pay, with: {to: "${ event.data }"}}',
        head=INPUT,
        found=[
            "1:49 not-in-scope: `event` has no value here | only triggers and the `match` of a receive step "
            "see an event; the run's data is in `input`",
        ],
    ),
    Case(
        "the key",
        "- {id: charge, action: shop.pay}",
        head="""
        input:
          properties:
            amount: {type: number}
            lines: {type: array, items: {type: object, properties: {sku: {type: string}}}}
        key: ${ steps.charge.output }-${ vars.x }
        """,
        found=[
            "6:9 step-not-before: `steps.charge` cannot have run here: no step has run yet | `key` sees input",
            "6:34 not-in-scope: `vars` has no value here | `key` sees input",
        ],
    ),
    Case(
        "triggers",
        "- {id: charge, action: shop.pay}",
        head="""
        triggers:
          - event: order.placed
            when: input.amount > 3
            start: {key: "${ event.dat.id }", input: "${ steps.charge.output }"}
          - schedule: {cron: '@daily'}
            input: {at: "${ now }"}
        """,
        found=[
            "4:11 not-in-scope: `input` has no value here | `when` sees event",
            "5:28 type-error: `event.dat` does not exist; the fields there are data, id, metadata, source, "
            "time, type, version | did you mean `data`?",
            "5:50 step-not-before: `steps.charge` cannot have run here: no step has run yet | `start input` sees event",
            "7:21 not-in-scope: `now` has no value here | a schedule's input is fixed when it is deployed",
        ],
    ),
    Case(
        "what a trigger correlates by",
        "- {id: hear, signal: paid, correlate: {invoice: x, at: y}}",
        head="""
        triggers:
          - event: payment.made
            signal:
              name: paid
              correlate: {invoice: "${ [event.id] }", at: "${ input.amount }"}
        """,
        found=[
            "6:29 type-error: `correlate field` takes a string or number or bool, this is a list",
            "6:55 not-in-scope: `input` has no value here | `correlate field` sees event",
        ],
    ),
    Case(
        "in a block scalar",
        """
        - id: charge
          action: shop.pay
          with:
            to: |
              ${
                input.amount +
                input.amonut
              }
        """,
        head=INPUT,
        found=[
            "7:15 type-error: `input.amonut` does not exist; the fields there are amount, lines | did you "
            "mean `amount`?",
        ],
    ),
    Case(
        "in a folded scalar",
        """
        - id: charge
          action: shop.pay
          with:
            to: >
              ${ input.amonut }
              and more
        """,
        head=INPUT,
        found=[
            "4:9 type-error: `input.amonut` does not exist; the fields there are amount, lines | did you "
            "mean `amount`?",
        ],
    ),
    Case(
        "in a quoted scalar",
        "- {id: charge, action: shop.pay, with: {to: 'is ${ input.amonut }'}}",
        head=INPUT,
        found=[
            "1:58 type-error: `input.amonut` does not exist; the fields there are amount, lines | did you "
            "mean `amount`?",
        ],
    ),
    Case(
        "in a list",
        '- {id: charge, action: shop.pay, with: {to: [1, {a/b: "${ input.amonut }"}]}}',
        head=INPUT,
        found=[
            "1:65 type-error: `input.amonut` does not exist; the fields there are amount, lines | did you "
            "mean `amount`?",
        ],
    ),
    Case(
        "every other position",
        """
        - {id: choose, cases: [{when: input.x1, steps: [{id: inner, action: shop.pay}]}]}
        - {id: each, items: "${ input.x2 }", collect: "${ input.x3 }", steps: [{id: in-each, action: shop.pay}]}
        - {id: again, while: input.x4, until: input.x5, max: 2, carry: {a: "${ input.x6 }"}, steps: [{id: in-again, action: shop.pay}]}
        - {id: ask, title: "${ input.x7 }", show: "${ input.x8 }", approvers: "${ input.x9 }", timeout: 2h, escalate: {after: 1h, approvers: "${ input.y1 }"}}
        - {id: rest, for: "${ input.y2 }"}
        - {id: sleep, until: input.y3}
        - {id: hear, signal: paid, match: input.y4}
        - {id: tell, type: emit, event: "${ input.y5 }", data: "${ input.y6 }", version: "${ input.y7 }", priority: "${ input.y8 }", key: "${ input.y9 }"}
        - {id: child, workflow: other, input: "${ input.z1 }", key: "${ input.z2 }", compensate: {action: shop.refund, with: "${ input.z3 }"}}
        - {id: attempt, type: try, steps: [{id: in-try, action: shop.pay}], catch: [{when: input.z4, steps: [{id: in-catch, action: shop.pay}]}]}
        - {id: charge, action: shop.pay, on_error: [{when: input.z5, next: continue}]}
        - {id: stop, type: fail, if: "true", error: {type: "${ input.z6 }"}}
        - {id: last, type: end, output: "${ input.z7 }"}
        """,
        head="input: {properties: {amount: {}}}",
        found=[
            "1:37 type-error: `input.x1` does not exist; the fields there are amount",
            "2:31 type-error: `input.x2` does not exist; the fields there are amount",
            "2:57 type-error: `input.x3` does not exist; the fields there are amount",
            "3:28 type-error: `input.x4` does not exist; the fields there are amount",
            "3:45 type-error: `input.x5` does not exist; the fields there are amount",
            "3:78 type-error: `input.x6` does not exist; the fields there are amount",
            "4:30 type-error: `input.x7` does not exist; the fields there are amount",
            "4:53 type-error: `input.x8` does not exist; the fields there are amount",
            "4:81 type-error: `input.x9` does not exist; the fields there are amount",
            "4:144 type-error: `input.y1` does not exist; the fields there are amount",
            "5:29 type-error: `input.y2` does not exist; the fields there are amount",
            "6:28 type-error: `input.y3` does not exist; the fields there are amount",
            "7:41 type-error: `input.y4` does not exist; the fields there are amount",
            "8:43 type-error: `input.y5` does not exist; the fields there are amount",
            "8:66 type-error: `input.y6` does not exist; the fields there are amount",
            "8:92 type-error: `input.y7` does not exist; the fields there are amount",
            "8:119 type-error: `input.y8` does not exist; the fields there are amount",
            "8:141 type-error: `input.y9` does not exist; the fields there are amount",
            "9:49 type-error: `input.z1` does not exist; the fields there are amount",
            "9:71 type-error: `input.z2` does not exist; the fields there are amount",
            "9:128 type-error: `input.z3` does not exist; the fields there are amount",
            "10:90 type-error: `input.z4` does not exist; the fields there are amount",
            "11:58 type-error: `input.z5` does not exist; the fields there are amount",
            "12:62 type-error: `input.z6` does not exist; the fields there are amount",
            "13:43 type-error: `input.z7` does not exist; the fields there are amount",
        ],
    ),
]

RIGHT = [
    Case(
        "everything that is in scope",
        """
        - {id: quote, action: shop.quote, with: {sku: a}, if: input.amount > 3}
        - {id: charge, action: shop.pay, with: {to: "${ steps.quote.output.total + 1 }", run: "${ run.id }", at: "${ now }"}, compensate: {action: shop.refund, with: {of: "${ steps.charge.output }"}}, on_error: [{when: error.status > 400, next: fix}]}
        - {id: each, items: "${ input.lines }", steps: [{id: inner, action: shop.pay, with: {to: "${ item.sku + string(index) }", of: "${ steps.quote.output }"}}], collect: "${ steps.inner.output }"}
        - {id: again, while: index < 3, until: steps.in_again.status == 'completed', max: 3, steps: [{id: in-again, action: shop.pay}], carry: {count: "${ steps.in_again.output }"}}
        - {id: attempt, type: try, steps: [{id: in-try, action: shop.pay}], catch: [{as: why, when: why.type == 'timeout', steps: [{id: in-catch, action: shop.pay, with: {to: "${ why.type + error.type }", of: "${ steps.in_try.error }"}}]}], finally: [{id: in-final, action: shop.pay, with: {to: "${ steps.in_catch.output }"}}]}
        - {id: hear, event: order.paid, match: event.data.id == input.amount}
        - {id: after, action: shop.pay, with: {to: "${ steps.each.output[0] }", b: "${ steps.in_try.output }", c: "${ vars.count }"}}
        - {id: sleep, until: "2030-01-01T00:00:00Z"}
        - {id: done, type: end}
        - {id: fix, action: shop.refund, with: {to: "${ error.detail }", of: "${ steps.quote.output }"}}
        """,
        head="""
        input:
          properties:
            amount: {type: number}
            lines: {type: array, items: {type: object, properties: {sku: {type: string}}}}
        key: order-${ input.amount }
        output: ${ steps.fix.output }
        """,
    ),
    Case(
        "branches after their join",
        """
        - {id: both, branches: {left: [{id: one, action: shop.pay}], right: [{id: two, action: shop.pay}]}}
        - {id: last, action: shop.pay, with: {to: "${ steps.one.output }", of: "${ steps.both.output }"}}
        """,
        head=INPUT,
    ),
    Case(
        "branches after their join in graph shape",
        """
        - {id: both, type: parallel, next: [one, two], join: last}
        - {id: one, action: shop.pay, next: last}
        - {id: two, action: shop.pay, next: last}
        - {id: last, action: shop.pay, with: {to: "${ steps.one.output }"}}
        """,
        head=INPUT,
    ),
    Case(
        "a step that may have been skipped",
        """
        - {id: choose, condition: 'true', next: [one, two]}
        - {id: one, action: shop.pay, next: two}
        - {id: two, action: shop.pay, with: {to: "${ steps.one.output }"}}
        """,
        head=INPUT,
    ),
    Case(
        "a compensating step",
        """
        - {id: charge, action: shop.pay, next: done}
        - {id: done, type: end}
        - {id: refund, action: shop.refund, with: {of: "${ steps.charge.output }"}}
        """,
        head="""
        input:
          properties:
            amount: {type: number}
            lines: {type: array, items: {type: object, properties: {sku: {type: string}}}}
        compensation: {charge: refund}
        """,
    ),
    Case(
        "the failed branch in the handler of its parallel",
        """
        - {id: both, type: parallel, next: [one, two], on_error: fix}
        - {id: one, action: shop.pay}
        - {id: two, action: shop.pay}
        - {id: fix, action: shop.pay, with: {to: "${ steps.one.error }"}}
        """,
        head=INPUT,
    ),
    Case(
        "an input that is not described",
        '- {id: charge, action: shop.pay, with: {to: "${ input.anything.at.all }"}}',
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_expressions_report_a_wrong_definition(case: Case) -> None:
    """The smallest wrong definitions give just these findings."""
    assert found_in_steps(case.steps, case.head) == case.found


@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_expressions_let_a_right_definition_pass(case: Case) -> None:
    """What is right, also where it looks alike, gives no finding."""
    assert found_in_steps(case.steps, case.head) == []


@pytest.mark.parametrize("moment", ["2030-01-31", "2030-01-31T08:00:00"])
def test_moment_without_a_zone_is_refused(moment: str) -> None:
    """A fixed moment that no run could wait for is found before one does."""
    (found,) = found_in_steps(f"- {{id: a, type: wait, until: {moment}}}")
    assert found.startswith(f"1:30 bad-expression: '{moment}' does not say in which time zone")
