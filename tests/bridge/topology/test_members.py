"""Quorum queues and the nodes of their cluster."""

from __future__ import annotations

import pytest

from bridge.topology.members import QueueMembers, members_on


@pytest.mark.parametrize(
    ("nodes", "members", "lacking"),
    [
        (["a"], {"q": ["a"]}, {}),
        (["a", "b", "c"], {"q": ["a", "b", "c"]}, {}),
        (["a", "b", "c"], {"q": ["a"], "r": ["a", "b", "c"]}, {"q": ("b", "c")}),
        (["a", "b"], {"q": ["b"]}, {"q": ("a",)}),
        (["a", "b", "c", "d", "e"], {"q": ["a", "b", "c"], "r": ["a", "b"]}, {"r": ("c", "d", "e")}),
        (["a", "b", "c"], {}, {}),
    ],
)
def test_queue_lacks_members_where_it_could_have_more(
    nodes: list[str], members: dict[str, list[str]], lacking: dict[str, tuple[str, ...]]
) -> None:
    """Three are enough, in a cluster of any size."""
    assert members_on(nodes, members).lacking == lacking


def test_cure_names_each_node_once() -> None:
    """One command gives all queues a member there."""
    found = members_on(["a", "b", "c"], {"q": ["a"], "r": ["a", "b"]})
    assert found.cure == "rabbitmq-queues grow b all; rabbitmq-queues grow c all"
    assert found.to_json()["state"] == "lacking"


def test_what_cannot_be_told_is_unknown() -> None:
    """It is no failure, and has no cure."""
    found = QueueMembers(unknown="nobody answers")
    assert (str(found), found.cure) == ("on how many nodes the queues are: unknown (nobody answers)", "")
    assert found.to_json() == {"state": "unknown", "reason": "nobody answers"}
