"""The Mermaid chart of a plan."""

from __future__ import annotations

import re

from tests.workflows.language.shipped import plans_of, shipped_texts
from workflows.language.graph import mermaid

_HEAD = "id: chart\nversion: 1.0.0\nsteps:\n"


def _chart(steps: str, rest: str = "") -> list[str]:
    (plan,) = plans_of({"x/x.yaml": f"{_HEAD}{steps}\n{rest}\n"})
    return [line.strip() for line in mermaid(plan).splitlines()]


def test_chart_shows_a_sequence() -> None:
    """Steps in order from start to end, each with its action."""
    assert _chart(
        "  - {id: look, action: shop.look, run: local}\n  - {id: pay, name: Take money, action: shop.pay}"
    ) == [
        "flowchart TD",
        'start(["start"])',
        'step_look["look<br/><small>shop.look (local)</small>"]',
        'step_pay["Take money<br/><small>shop.pay</small>"]',
        'finish(["end"])',
        "start --> step_look",
        "step_look --> step_pay",
        "step_pay --> finish",
    ]


def test_chart_labels_the_ways_of_a_decision() -> None:
    """Each case carries its condition, with entities for what Mermaid would read."""
    lines = _chart(
        "  - {id: choose, condition: 'input.x < 3 && input.y == \"a\"', next: [left, right]}\n"
        "  - {id: left, type: end}\n  - {id: right, type: fail, error: {type: odd}}"
    )
    assert 'step_choose{"choose"}' in lines
    assert 'step_choose -->|"input.x #lt; 3 #amp;#amp; input.y == #quot;a#quot;"| step_left' in lines
    assert 'step_choose -->|"else"| step_right' in lines
    assert "step_left --> finish" in lines
    assert not any(line.startswith("step_right -->") for line in lines)


def test_chart_joins_branches() -> None:
    """Branches leave a parallel step and come together at the step after it."""
    lines = _chart(
        "  - {id: both, wait: any, branches: {left: [{id: one, action: a.b}], right: [{id: two, action: a.b}]}}\n"
        "  - {id: last, action: a.b}"
    )
    assert 'step_both{{"both<br/><small>1 of 2</small>"}}' in lines
    assert 'step_both -->|"left"| step_one' in lines
    assert "step_one --> step_last" in lines
    assert "step_two --> step_last" in lines


def test_chart_draws_blocks_as_subgraphs() -> None:
    """A loop and a try hold their bodies; edges go to and from the block."""
    lines = _chart(
        "  - {id: each, items: [1], concurrency: 3, steps: [{id: inner, action: a.b}]}\n"
        "  - {id: again, until: 'true', max: 4, steps: [{id: round, action: a.b}]}\n"
        "  - id: attempt\n    type: try\n    steps: [{id: risky, action: a.b}]\n"
        "    catch: [{errors: [timeout], steps: [{id: fix, action: a.b}]}]\n    finally: [{id: tidy, action: a.b}]\n"
    )
    at = lines.index('subgraph block_each["each<br/><small>for each item, 3 at a time</small>"]')
    assert lines[at + 1 : at + 3] == ['step_inner["inner<br/><small>a.b</small>"]', "end"]
    assert 'subgraph block_again["again<br/><small>at most 4 rounds</small>"]' in lines
    assert "block_each --> block_again" in lines
    assert 'step_risky -->|"catch timeout"| step_fix' in lines
    assert 'step_risky -->|"finally"| step_tidy' in lines


def test_chart_marks_failures_and_compensations() -> None:
    """Ways that only a failure takes are red; a compensation hangs on its step by a dashed edge."""
    lines = _chart(
        "  - {id: pay, action: shop.pay, on_error: [{errors: [timeout], next: fix}, {next: continue}], next: ask}\n"
        "  - {id: ask, type: approval, quorum: 2, timeout: 1h, on_timeout: late, on_reject: fix, next: book}\n"
        "  - {id: book, action: shop.book, compensate: {action: shop.unbook}}\n"
        "  - {id: late, type: end}\n  - {id: fix, action: shop.fix}\n  - {id: refund, action: shop.refund}",
        "compensation: {pay: refund}",
    )
    assert 'step_pay -->|"on error timeout"| step_fix' in lines
    assert 'step_pay -->|"on error: continue"| step_ask' in lines
    assert 'step_ask[/"ask<br/><small>approval by 2</small>"/]' in lines
    assert 'step_ask -->|"rejected"| step_fix' in lines
    assert 'step_ask -->|"timed out"| step_late' in lines
    assert 'step_pay -.->|"compensate"| step_refund' in lines
    assert 'step_book -.->|"compensate"| undo_book' in lines
    assert 'undo_book["shop.unbook"]' in lines
    edges = [line for line in lines if re.search(r"-->|-\.->", line)]
    style = next(line for line in lines if line.startswith("linkStyle"))
    red = [edges[int(number)] for number in style.split()[1].split(",")]
    assert all("on error" in edge or "rejected" in edge or "timed out" in edge for edge in red)
    assert len(red) == 4


def test_chart_shows_what_a_step_waits_for() -> None:
    """Timers, messages, children and conditions are written below the name."""
    lines = _chart(
        "  - {id: rest, for: 3h}\n  - {id: hear, type: receive, event: order.*}\n  - {id: assign, vars: {a: 1}}\n"
        "  - {id: pay, action: shop.pay, if: input.x}"
    )
    assert 'step_rest(("rest<br/><small>3h</small>"))' in lines
    assert 'step_hear>"hear<br/><small>order.*</small>"]' in lines
    assert 'step_assign("assign")' in lines
    assert 'step_pay["pay<br/><small>shop.pay</small><br/><small>if input.x</small>"]' in lines


def test_chart_cannot_be_broken_by_names() -> None:
    """Quotes, line breaks and markup of a name become entities; a long name is cut."""
    lines = _chart("  - {id: end, name: 'a\"] --> x\n\n    <b>`y` " + "z" * 80 + "', type: end}")
    (step,) = [line for line in lines if line.startswith("step_end([")]
    assert step.startswith('step_end(["a#quot;] --#gt; x #lt;b#gt;#96;y#96; zzz')
    assert step.endswith('…"])')


def test_chart_of_each_shipped_definition_is_closed() -> None:
    """Every node that an edge names is drawn, every subgraph ends, every step appears once."""
    for plan in plans_of(shipped_texts()):
        text = mermaid(plan)
        drawn = re.findall(r"^ +(?:subgraph )?(\w+)[\[({>]", text, re.MULTILINE)
        edges = re.findall(r"^ +(\w+) (?:-->|-\.->)(?:\|[^|]*\|)? (\w+)$", text, re.MULTILINE)
        assert len(drawn) == len(set(drawn))
        assert {name for edge in edges for name in edge} <= set(drawn)
        assert len(re.findall(r"^ +subgraph", text, re.MULTILINE)) == len(re.findall(r"^ +end$", text, re.MULTILINE))
        assert mermaid(plan) == text
