"""What a state keeps is bounded, whatever people and services say, and says how much there was."""

from __future__ import annotations

from typing import Any

from contracts.json import Json, encode
from contracts.problems import Problem
from tests.workflows.engine.runs import Run, begun
from workflows.engine.decisions import DECISIONS_LIMIT_BYTES
from workflows.engine.events import Decision, Failed, MessageRefused
from workflows.engine.mailbox import REFUSED_LIMIT
from workflows.engine.saga import LEFT_WHOLE
from workflows.engine.serial import state_from_json, state_to_json
from workflows.engine.view import approvals, refusal

ASK = """
steps:
  - {id: ask, type: approval, title: Well?, approvers: [a], quorum: 3}
"""
ASK_ANYBODY = ASK.replace("approvers: [a], ", "")
ASK_AGAIN = """
steps:
  - id: again
    type: repeat
    max: 100000
    until: steps.ask.output.decision == "approved"
    steps:
      - {id: ask, type: approval, title: Well?, on_reject: next-time}
      - {id: next-time, type: set, vars: {asked: "${ index }"}}
"""
UNDO_MANY = """
steps:
  - id: each
    type: foreach
    items: "${ input.items }"
    concurrency: 1000
    steps:
      - {id: work, action: do, compensate: {action: undo}}
  - {id: bad, type: fail, error: {type: broken, title: It broke}}
"""


def size_of(run: Run) -> int:
    """Return the size of a run's state, bytes of JSON."""
    return len(encode(dict(state_to_json(run.state)), any_depth=True))


def test_refused_decisions_are_bounded_and_counted() -> None:
    """However many there are, and however long the names are."""
    run = begun(ASK)
    for number in range(REFUSED_LIMIT * 3):
        run.decide("ask", f"{number}-" + "x" * 10_000)
    [wait] = run.state.waits.values()
    assert (len(wait.refused), wait.refused_count) == (REFUSED_LIMIT, REFUSED_LIMIT * 3)
    assert str(wait.refused[-1]["approver"]).startswith(f"{REFUSED_LIMIT * 3 - 1}-")
    assert size_of(run) < REFUSED_LIMIT * 2_000
    [shown] = approvals(run.plan, run.state)
    assert shown["refused_count"] == REFUSED_LIMIT * 3


def test_decisions_on_one_approval_are_bounded() -> None:
    """One that does not fit is refused, as signal and as update; a shorter one is taken."""
    run = begun(ASK_ANYBODY)
    large: Json = "x" * (DECISIONS_LIMIT_BYTES // 2)
    run.decide("ask", "a", data=large)
    problem = refusal(run.plan, run.state, Decision(0, "ask", True, "b", data=large))
    assert problem is not None
    assert (problem.status, "say it shorter" in problem.detail) == (413, True)
    run.decide("ask", "b", data=large)
    [wait] = run.state.waits.values()
    assert ([each["approver"] for each in wait.decisions], wait.refused_count) == (["a"], 1)
    run.decide("ask", "b").decide("ask", "c", comment="short")
    assert not run.state.waits


def test_decision_that_is_no_json_is_refused() -> None:
    """It could be carried nowhere."""
    run = begun(ASK_ANYBODY)
    assert refusal(run.plan, run.state, Decision(0, "ask", True, "a", comment="\ud800")) is not None


def test_wait_of_an_older_engine_is_read() -> None:
    """What it carried over has no counts."""
    run = begun(ASK).decide("ask", "mallory")
    document: dict[str, Any] = state_to_json(run.state)
    for name in ("refused_count", "decisions_bytes"):
        del document["waits"][0][name]
    [read] = state_from_json(document).waits.values()
    assert (read.refused_count, read.decisions_bytes) == (0, 0)


def test_approval_that_asks_again_and_again_keeps_a_bounded_state() -> None:
    """Each round's comments are gone with it; the rows of steps keep the first words of the latest."""
    run = begun(ASK_AGAIN)
    sizes = []
    for round_ in range(1_600):
        run.decide(f"again[{round_}]/ask", "a", approved=False, comment="x" * 5_000)
        sizes.append(size_of(run) if round_ % 200 == 199 else 0)
    assert max(len(row.detail) for row in run.state.records.values()) == 1_000
    assert max(sizes) < 700_000
    assert max(sizes[1_000:]) < max(sizes[:1_000]) * 1.1


def test_what_could_not_be_undone_is_bounded() -> None:
    """All steps are named; the first problems are whole, but for members that are too large."""
    count = LEFT_WHOLE * 4
    run = begun(UNDO_MANY, {"items": list(range(count))})
    for index in range(count):
        run.done(f"each[{index}]/work")
    for index in reversed(range(count)):
        detail, said = "x" * 5_000, {"said": "y" * (50_000 if index == count - 1 else 5_000)}
        run.give(Failed(run.at, f"each[{index}]/work/compensate", Problem("broken", "b", 500, detail, extensions=said)))
    left = [entry["problem"] for entry in run.state.left]
    assert len(left) == count
    assert "said" in str(left[1])
    assert "left_out" in str(left[0])
    assert max(len(encode(problem)) for problem in left[LEFT_WHOLE:]) < 1_000
    assert size_of(run) < 3_000_000


def test_reasons_of_refused_messages_are_bounded() -> None:
    """A stranger's words may be long."""
    run = begun(ASK)
    for _ in range(REFUSED_LIMIT * 2):
        run.give(MessageRefused(run.at, "n" * 100_000, "r" * 100_000))
    assert (len(run.state.refused), run.state.refused_count) == (REFUSED_LIMIT, REFUSED_LIMIT * 2)
    assert size_of(run) < REFUSED_LIMIT * 1_500
