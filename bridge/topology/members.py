"""On how many nodes of a cluster our quorum queues are. Pure.

A quorum queue gets its members when it is declared, on nodes that are there at that moment, and keeps them: one that
was declared while a single node was up stays on that node for ever, and is away whenever that node is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts.json import Json

_ENOUGH = 3
"""Members that RabbitMQ gives a queue at first, where there are as many nodes or more."""


@dataclass(frozen=True, slots=True)
class QueueMembers:
    """What is known of it.

    Attributes:
        nodes: The cluster's nodes, whether they run or not; empty = it cannot be told.
        lacking: Of each queue that has fewer members than it could have, the nodes that it is not on.
        unknown: Why it cannot be told; empty where it can.
    """

    nodes: tuple[str, ...] = ()
    lacking: Mapping[str, tuple[str, ...]] | None = None
    unknown: str = ""

    @property
    def cure(self) -> str:
        """The commands that give the queues their members; empty where they have them."""
        absent = sorted({node for nodes in (self.lacking or {}).values() for node in nodes})
        return "; ".join(f"rabbitmq-queues grow {node} all" for node in absent)

    def __str__(self) -> str:
        """Return what was found, as a sentence for people."""
        if self.unknown:
            return f"on how many nodes the queues are: unknown ({self.unknown})"
        if not self.lacking:
            return f"queues are on all of {len(self.nodes)} node(s), or three of them"
        names = sorted(self.lacking)
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004
        return f"on fewer nodes than the cluster of {len(self.nodes)} allows: {shown}"

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        if self.unknown:
            return {"state": "unknown", "reason": self.unknown}
        lacking: dict[str, Json] = {name: list(nodes) for name, nodes in sorted((self.lacking or {}).items())}
        state = "lacking" if lacking else "complete"
        return {"state": state, "nodes": list(self.nodes), "lacking": lacking, "cure": self.cure}


def members_on(nodes: Iterable[str], members: Mapping[str, Iterable[str]]) -> QueueMembers:
    """Compare the members of quorum queues, by name, with the nodes of their cluster."""
    all_nodes = tuple(sorted(nodes))
    wanted = min(_ENOUGH, len(all_nodes))
    absent = {queue: tuple(node for node in all_nodes if node not in set(on)) for queue, on in members.items()}
    lacking = {queue: nodes for queue, nodes in absent.items() if len(all_nodes) - len(nodes) < wanted}
    return QueueMembers(all_nodes, lacking)
