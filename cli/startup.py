"""What a person sees while the parts start and stop: a line for each part, and on a terminal a sign of life below."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click
from rich.console import Console
from rich.status import Status
from rich.text import Text

from cli.output import is_terminal
from cli.stack.events import Happening, StackEvent

_SIGNS = {
    Happening.STARTED: click.style("✓", fg="green"),
    Happening.REUSED: click.style("✓", fg="green"),
    Happening.GIVEN: click.style("✓", fg="green"),
    Happening.STOPPED: click.style("·", fg="bright_black"),
    Happening.NOTE: click.style("!", fg="yellow"),
}
_WORDS = {Happening.REUSED: "was running", Happening.GIVEN: "as given", Happening.NOTE: ""}


@dataclass
class Startup:
    """Shows the progress of a start. `report` is also good for what happens after it."""

    status: Status | None = None
    waiting: list[str] = field(default_factory=list)

    def report(self, event: StackEvent) -> None:
        """Show what happened to a part of the stack."""
        if event.happening == Happening.STARTING:
            self.waiting.append(event.part)
        elif event.part in self.waiting and event.happening != Happening.NOTE:
            self.waiting.remove(event.part)
        if event.happening != Happening.STARTING:
            self._print(stack_line(event))
        self.say(f"Starting {', '.join(self.waiting)} ..." if self.waiting else "Starting worker and bridge ...")

    def _print(self, line: str) -> None:
        if self.status is None:
            click.echo(line)
        else:
            # Through the console that draws the sign of life, so that the line replaces it and it is drawn again below.
            self.status.console.print(Text.from_ansi(line), soft_wrap=True)

    def say(self, text: str) -> None:
        """Show what is being done now; only on a terminal."""
        if self.status is not None:
            self.status.update(text)


@contextmanager
def starting() -> Iterator[Startup]:
    """Show the progress of a start until the block ends."""
    startup = Startup()
    if not is_terminal():
        yield startup
        return
    with Console(highlight=False).status("Starting ...") as startup.status:
        yield startup
    startup.status = None


def stack_line(event: StackEvent) -> str:
    """Return an event of the stack as a line."""
    took = f"{event.seconds:.1f} s" if event.happening == Happening.STARTED else ""
    word = _WORDS.get(event.happening, str(event.happening))
    parts = (f"  {_SIGNS.get(event.happening, ' ')} {event.part:<11}", word, event.address, took, event.note)
    return " ".join(part for part in parts if part)
