"""A process that runs a whole stack until somebody ends it: `python -m tests.cli.stack.runner DIR`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from cli.stack.stack import StackSettings, running


async def run(state_dir: Path) -> None:
    """Run the stack of a folder, say when it is ready, and wait."""
    settings = StackSettings(state_dir, ui=False, usual_ports=False)
    async with running(settings, lambda event: None):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
