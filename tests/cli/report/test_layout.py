"""The picture of a plan."""

from __future__ import annotations

from itertools import combinations, pairwise

from cli.report.layout import NODE_HEIGHT, NODE_WIDTH, Edge, edges_of, laid_out
from tests.cli.report.figures import plan_of

PARTS = """
id: parts
version: 1.0.0
steps:
  - id: first
    action: data.transform
    with: {value: 1}
    on_error: mend
  - id: which
    type: decision
    cases:
      - when: "true"
        steps:
          - id: both
            type: parallel
            branches:
              l: [{id: left, action: data.transform, with: {value: 1}}]
              r: [{id: right, action: data.transform, with: {value: 1}}]
  - id: each
    type: foreach
    items: "${ [1, 2] }"
    steps: [{id: item, action: data.transform, with: {value: 1}}]
  - id: careful
    type: try
    steps: [{id: risky, action: data.transform, with: {value: 1}}]
    catch: [{steps: [{id: caught, action: data.transform, with: {value: 1}}]}]
    finally: [{id: tidy, action: data.transform, with: {value: 1}}]
  - id: last
    type: end
  - id: mend
    action: data.transform
    with: {value: 1}
"""


def test_edges_lead_through_blocks_and_on() -> None:
    """Bodies come back to what follows their block; ways that only a failure takes are marked; each once."""
    edges = edges_of(plan_of(PARTS))
    assert len(edges) == len(set(edges))
    assert {(edge.source, edge.target) for edge in edges if not edge.failure} == {
        ("first", "which"),
        ("which", "both"),
        ("which", "each"),
        ("both", "left"),
        ("both", "right"),
        ("left", "each"),
        ("right", "each"),
        ("each", "item"),
        ("item", "careful"),
        ("careful", "risky"),
        ("risky", "tidy"),
        ("caught", "tidy"),
        ("tidy", "last"),
    }
    assert {(edge.source, edge.target) for edge in edges if edge.failure} == {("first", "mend"), ("careful", "caught")}


def test_layout_lets_edges_go_down_and_nodes_not_touch() -> None:
    """Whatever the plan; and all of it lies within the picture."""
    layout = laid_out(plan_of(PARTS))
    for edge, points in layout.edges:
        assert layout.nodes[edge.source][1] < layout.nodes[edge.target][1], edge
        assert all(upper[1] <= lower[1] for upper, lower in pairwise(points)), edge
    for (x, y), (other_x, other_y) in combinations(layout.nodes.values(), 2):
        assert y != other_y or abs(x - other_x) >= NODE_WIDTH
    for x, y in layout.nodes.values():
        assert 0 <= x <= layout.width - NODE_WIDTH
        assert 0 <= y <= layout.height - NODE_HEIGHT


def test_layout_is_the_same_each_time() -> None:
    """The same plan gives the same picture."""
    assert laid_out(plan_of(PARTS)) == laid_out(plan_of(PARTS))
    assert Edge("item", "careful") in edges_of(plan_of(PARTS))
