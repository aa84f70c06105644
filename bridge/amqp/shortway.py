"""Let events that carry key and class go to their partition directly, once nothing of theirs can be on the long way.

The exchanges of the classes live as long as the broker's process. After a restart, what comes first goes to the inbox,
because nothing else is bound; were the short way open at once, the next event of a key would overtake those that wait
there. So it is opened when the inbox has been empty for a few looks. Until then all take the long way, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from bridge.amqp.connection import losing
from bridge.amqp.sharing import SharedConnection
from bridge.amqp.topology import declaring
from bridge.topology.layout import short_way
from bridge.topology.model import Topology
from bridge.topology.names import INBOX

_LOOKS: Final = 3
_BETWEEN_SECONDS: Final = 0.05


def _always() -> bool:
    """Nothing is in hand where nobody sorts."""
    return True


async def open_short_way(shared: SharedConnection, topology: Topology, idle: Callable[[], bool] = _always) -> None:
    """Wait until the inbox is empty, then bind the inlet to the classes; to do it again changes nothing.

    Args:
        shared: The connection.
        topology: The classes.
        idle: Tells whether nothing of the inbox is in hand here.

    Raises:
        ServiceUnreachableError: The broker is away.
        SessionLostError: The connection was lost meanwhile.
    """
    async with shared.holding(confirms=False) as channel:
        with losing():
            empty = 0
            while empty < _LOOKS:
                answer = await channel.declare_queue(INBOX, passive=True)
                empty = empty + 1 if idle() and not answer.declaration_result.message_count else 0
                await asyncio.sleep(_BETWEEN_SECONDS)
            underlay = await channel.get_underlay_channel()
            for binding in short_way(topology):
                await declaring(binding)(underlay)
