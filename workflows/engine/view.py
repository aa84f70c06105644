"""What people see of a run: the live table of steps and the approvals that wait."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from contracts.json import Json
from contracts.problems import REJECTED, VALIDATION, Problem
from workflows.engine.decisions import refusal_of
from workflows.engine.evaluation import moment
from workflows.engine.events import Decision
from workflows.engine.state import State, StepRecord, Wait
from workflows.engine.waiting import find_approval
from workflows.language.plan import Approval, Plan

ROW_LIMIT = 40
CELL_LIMIT = 120
# The UI's tables have no padding of their own, and it trims cells: a wide space, kept by one of no width.
_GAP = "\N{EM SPACE}\N{ZERO WIDTH SPACE}"
_SIGNS = {
    "running": "▶",
    "waiting": "◆",
    "completed": "✔",
    "failed": "✘",
    "skipped": "-",
    "cancelled": "⊘",
    "rejected": "✘",
    "timed-out": "✘",
}


def details(plan: Plan, state: State) -> str:
    """Return the run as Markdown for the Temporal UI: its status, what it waits for, its last steps (40 at most)."""
    lines = [f"**{plan.name}** {plan.version} · **{state.status}**", ""]
    lines += _problem_lines(state)
    lines += _refused_lines(state)
    for approval in approvals(plan, state):
        lines += _question(approval)
    return "\n".join([*lines, *_table(plan, state)])


def approvals(plan: Plan, state: State) -> list[dict[str, Json]]:
    """Return the approvals that wait, oldest first, with what an approver needs to know."""
    waiting = ((wait, plan.nodes[wait.node]) for wait in state.waits.values())
    return [_approval(wait, node) for wait, node in waiting if isinstance(node, Approval)]


def refusal(plan: Plan, state: State, decision: Decision) -> Problem | None:
    """Return why a decision cannot be taken now, or None."""
    wait = find_approval(plan.nodes, state.waits, decision.step)
    if wait is None:
        return _nothing_waits(plan, state, decision.step)
    node = plan.nodes[wait.node]
    assert isinstance(node, Approval)
    return refusal_of(wait, node, decision)


def _nothing_waits(plan: Plan, state: State, step: str) -> Problem:
    waiting = ", ".join(str(entry["step"]) for entry in approvals(plan, state)) or "none"
    known = isinstance(plan.nodes.get(step.rpartition("/")[2]), Approval)
    if not known:
        return Problem(
            VALIDATION, "No such approval", 404, f"`{step}` is no approval of {plan.id}. Waiting now: {waiting}."
        )
    return Problem(REJECTED, "Not waiting", 409, f"`{step}` does not wait for a decision. Waiting now: {waiting}.")


def _approval(wait: Wait, node: Approval) -> dict[str, Json]:
    form: Any = None if node.form is None else dict(node.form)
    return {
        "step": wait.path,
        "title": wait.title,
        "show": wait.show,
        "approvers": None if wait.approvers is None else list(wait.approvers),
        "quorum": node.quorum,
        "form": form,
        "decisions": list(wait.decisions),
        "refused": list(wait.refused),
        "refused_count": wait.refused_count,
        "since": moment(wait.since).isoformat(),
        "due": None if wait.due is None else moment(wait.due).isoformat(),
    }


def _problem_lines(state: State) -> Iterator[str]:
    if state.problem is not None:
        yield f"> {_cell(state.problem.get('title'))}: {_cell(state.problem.get('detail', ''))}"
        yield ""


def _refused_lines(state: State) -> Iterator[str]:
    if state.refused_count:
        latest = state.refused[-1]
        yield f"> {state.refused_count:,} messages could not be taken, the latest `{_cell(latest['name'])}`: " + _cell(
            latest["reason"]
        )
        yield ""


def _question(approval: dict[str, Json]) -> Iterator[str]:
    yield f"◆ **{_cell(approval['title'])}** (step `{approval['step']}`)"
    shown = approval["show"]
    yield from (
        f"- {_cell(name)}: {_cell(value)}" for name, value in (shown if isinstance(shown, dict) else {}).items()
    )
    yield ""
    who = approval["approvers"]
    yield f"May decide: {', '.join(map(str, who)) if isinstance(who, list) else 'anybody'}"
    yield ""


def _table(plan: Plan, state: State) -> Iterator[str]:
    yield "| status | step | took | |"
    yield "|:---|:---|---:|:---|"
    records = state.records
    hidden = max(0, len(records) - ROW_LIMIT)
    if hidden:
        yield f"| … | {hidden} earlier | | |"
    for row in islice(records.values(), hidden, None):
        yield _row(plan, row)


def _row(plan: Plan, row: StepRecord) -> str:
    took = "" if row.ended is None else f"{(row.ended - row.started) / 1000:.1f}\N{NO-BREAK SPACE}s"
    identity = row.path.removesuffix("/compensate").rpartition("/")[2]
    node = plan.nodes.get(identity)
    name = row.path if node is None or node.name == identity else f"{row.path} · {node.name}"
    sign = "↩" if row.path.endswith("/compensate") else _SIGNS.get(row.status, "")
    return f"| {sign}\N{NO-BREAK SPACE}{row.status}{_GAP} | {_cell(name)}{_GAP} | {took}{_GAP} | {_cell(row.detail)} |"


def _cell(value: object) -> str:
    text = str(value).replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= CELL_LIMIT else text[: CELL_LIMIT - 1] + "…"
