"""A question to the person at the terminal that does not stop the event loop.

`input()` would block the worker and the bridge that run in the same process, and a thread that waits for a line
could not be cancelled by Ctrl-C.
"""

from __future__ import annotations

import asyncio
import sys

import click


async def ask_yes_or_no(question: str, *, yes: bool) -> bool:
    """Ask, and tell whether the answer is yes, which it is for an empty line too.

    Args:
        question: Ends with a question mark.
        yes: Do not ask. Nobody is asked either where standard input is no terminal.
    """
    if yes or not sys.stdin.isatty():
        click.echo(f"{question} [Y/n] y")
        return True
    click.echo(f"{click.style(question, bold=True)} [Y/n] ", nl=False)
    answer = (await _line()).strip().lower()
    return not answer.startswith("n")


async def _line() -> str:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    return sys.stdin.readline()
