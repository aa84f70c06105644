"""Formatting: one spelling, an author's hand kept, the plan unchanged."""

from __future__ import annotations

import json

import pytest

from tests.workflows.language.check.test_rules import SEED
from tests.workflows.language.shipped import plans_of, shipped_texts
from workflows.language.fmt import format_source

ROUGH = """# first\t

id: rough   # the id
version: 1.0.0


input: {type: object, properties: {onError: {type: string}}}
steps:
  - id: pay
    action: shop.pay
    onError:
      - {errors: [timeout], next: fix}   # why
    attemptTimeout: 5s
    with: {onError: 1, maxBackoff: "${ input.onError }"}
    retry: {maxBackoff: 30s, "notOn": [validation]}
    compensate: {action: shop.refund, attemptTimeout: 5s, retry: {maxBackoff: 40s}}
    next: ask



  - {id: ask, type: approval, timeout: 1h, onTimeout: approve, rejectQuorum: 2, next: both}
  - id: both
    onBranchError: finish
    next: done
    branches:
      maxBackoff:
        - {id: one, action: shop.pay, attemptTimeout: 5s}
  - id: done
    cases:
      - when: "true"
        steps: [{id: two, action: shop.pay, attemptTimeout: 5s}]
    else:
      - {id: three, action: shop.pay, attemptTimeout: 5s}
  - id: fix
    action: shop.pay
    with:
      text: |
        kept space~~~


        and lines
      folded: >-
        more
          text

      quoted: "over~~~
        two lines"
      end: |+
        kept

triggers:
  - event: order.placed
    start: {ifRunning: ignore}
  - schedule: {cron: "@daily", catchUp: 1h}


""".replace("~", " ")

TIDY = """# first

id: rough   # the id
version: 1.0.0

input: {type: object, properties: {onError: {type: string}}}
steps:
  - id: pay
    action: shop.pay
    on_error:
      - {errors: [timeout], next: fix}   # why
    attempt_timeout: 5s
    with: {onError: 1, maxBackoff: "${ input.onError }"}
    retry: {max_backoff: 30s, "not_on": [validation]}
    compensate: {action: shop.refund, attempt_timeout: 5s, retry: {max_backoff: 40s}}
    next: ask

  - {id: ask, type: approval, timeout: 1h, on_timeout: approve, reject_quorum: 2, next: both}
  - id: both
    on_branch_error: finish
    next: done
    branches:
      maxBackoff:
        - {id: one, action: shop.pay, attempt_timeout: 5s}
  - id: done
    cases:
      - when: "true"
        steps: [{id: two, action: shop.pay, attempt_timeout: 5s}]
    else:
      - {id: three, action: shop.pay, attempt_timeout: 5s}
  - id: fix
    action: shop.pay
    with:
      text: |
        kept space~~~


        and lines
      folded: >-
        more
          text

      quoted: "over~~~
        two lines"
      end: |+
        kept

triggers:
  - event: order.placed
    start: {if_running: ignore}
  - schedule: {cron: "@daily", catch_up: 1h}
""".replace("~", " ")


def test_format_spells_keys_and_tidies_lines() -> None:
    """Keys of the language change their spelling, data and multi-line texts stay; comments stay where they are."""
    assert format_source(ROUGH) == TIDY


def test_format_is_idempotent() -> None:
    """Formatting what was formatted changes nothing."""
    assert format_source(TIDY) == TIDY


def test_format_keeps_the_plan() -> None:
    """The digest is the same before and after."""
    before, after = plans_of({"x/x.yaml": ROUGH}), plans_of({"x/x.yaml": format_source(ROUGH)})
    assert [plan.digest for plan in before] == [plan.digest for plan in after]


def test_format_writes_json_as_yaml() -> None:
    """JSON becomes block style with the same plan."""
    text = json.dumps(SEED, indent=2)
    written = format_source(text)
    assert written.startswith(
        'id: agent-creation-v1\nname: Agent Creation Workflow\nversion: "1.0.0"\nsteps:\n  - id: '
    )
    assert "on_error: cleanup\n" in written
    assert format_source(written) == written
    assert plans_of({"x/a.json": text})[0].digest == plans_of({"x/a.yaml": written})[0].digest


@pytest.mark.parametrize(
    "value",
    [
        "yes",
        "0o14",
        "1:30",
        "12e3",
        "2024-01-01",
        "null",
        "~",
        "- a",
        "a: b",
        "a #b",
        " a",
        "a\nb\n",
        "a\n\n",
        "\n",
        "ü",
        "${ input.x }",
    ],
)
def test_format_keeps_texts_of_json(value: str) -> None:
    """A text that YAML could take for something else is quoted."""
    document = {
        "id": "x",
        "version": "1.0.0",
        "steps": [{"id": "a", "vars": {"text": value, "list": [value, [value]]}}],
    }
    written = format_source(json.dumps(document))
    plan, formatted = (plans_of({"x/x.yaml": text})[0] for text in (json.dumps(document), written))
    assert written.startswith("id: x\n")
    assert plan.digest == formatted.digest


@pytest.mark.parametrize("text", ["", "a: [", "a: 1\na: 2\n", "{", "- *x\n", "\x00"])
def test_format_leaves_what_cannot_be_read(text: str) -> None:
    """A file with mistakes comes back as it is; nothing is raised."""
    assert format_source(text) == text


def test_format_normalises_line_ends() -> None:
    """Windows line ends and a byte order mark go."""
    assert format_source("\ufeffid: x\r\nversion: 1.0.0\r\n\r\n\r\n") == "id: x\nversion: 1.0.0\n"


def test_format_does_not_make_a_key_twice() -> None:
    """Where both spellings are given, which is a mistake, neither is changed."""
    text = "steps:\n  - {id: a, onError: b, on_error: c}\n"
    assert format_source(text) == text


def test_format_leaves_shipped_definitions_alone() -> None:
    """What ships is formatted, and means the same when it is formatted again."""
    texts = shipped_texts()
    assert texts
    formatted = {name: format_source(text) for name, text in texts.items()}
    assert {name: text for name, text in formatted.items() if name.endswith(".yaml")} == {
        name: text for name, text in texts.items() if name.endswith(".yaml")
    }
    assert [plan.digest for plan in plans_of(texts)] == [plan.digest for plan in plans_of(formatted)]
