"""The rule about batches: what it finds, and what it lets pass."""

from __future__ import annotations

from tests.workflows.language.check.checking import found_in_steps

LOOP = """
- id: each
  type: foreach
  items: [1, 2]
  {batch}
  steps:
    - {{id: ask, type: approval, title: Go on?}}
"""


def test_batches_refuse_to_wait_for_people() -> None:
    """A decision is sent to the run, and would never come to the child that works the batch off."""
    assert found_in_steps(LOOP.format(batch="batch: 10"), "") == [
        "6:12 waits-in-batch: 'ask' waits for what cannot reach it: the batches of 'each' are runs of their own | "
        "remove `batch`, or let the step of the loop be a `workflow` whose definition has the approval"
    ]


def test_batches_let_a_plain_loop_wait() -> None:
    """Without `batch` the items are part of the run."""
    assert found_in_steps(LOOP.format(batch="concurrency: 2"), "") == []
