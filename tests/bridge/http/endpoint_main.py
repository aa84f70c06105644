"""An endpoint in a process of its own, whose memory can be looked at. It prints its port."""

from __future__ import annotations

import asyncio
import sys

from bridge.http.intake import Delivery
from store.webhooks import Acceptance
from tests.bridge.http.endpoint import open_endpoint


class Accepting:
    """An intake that keeps nothing."""

    async def accept(self, delivery: Delivery) -> Acceptance:
        """Accept."""
        return "accepted"


async def main() -> None:
    """Serve until stdin is closed."""
    async with open_endpoint(Accepting()) as running:
        print(running.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
