"""The command group: knows each command by name and one sentence, and imports its file only when it runs.

So `saga --help` and completion of a command's name cost nothing, and a command's file may import at its top what
the command needs. A misspelt command gets a suggestion.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click
from click.shell_completion import CompletionItem

from cli.exits import Exit, ReportedError

SECTIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "First steps": {
            "demo": "A guided tour on real services: an event, an approval, a rollback.",
            "up": "Run everything on this machine, until Ctrl-C.",
            "doctor": "Check every part, and say what to do about what is wrong.",
        },
        "Definitions": {
            "validate": "Check definitions and show all that is wrong with them.",
            "fmt": "Write definitions in the one usual form.",
            "graph": "Print a definition as a Mermaid flowchart.",
            "actions": "List the actions that a step may name, or show one.",
            "schema": "Print the JSON Schema of a definition, for editors.",
            "deploy": "Record the versions of definitions and reconcile their schedules.",
        },
        "Runs": {
            "run": "Start a run and watch it to its end.",
            "watch": "Watch a run to its end.",
            "show": "Show one run: its steps, what it waits for, how it ended.",
            "list": "List runs, the newest first.",
            "approve": "Approve a step that waits for people, or list such steps.",
            "reject": "Reject a step that waits for people.",
            "signal": "Send a signal to a run.",
            "cancel": "Ask a run to stop and to undo what it did.",
        },
        "Services": {
            "worker": "Run workflows and actions against given services.",
            "bridge": "Turn events from RabbitMQ into runs and signals.",
            "completion": "Print the completion script of a shell.",
        },
    }
)
COMMANDS: Mapping[str, str] = MappingProxyType(
    {name: text for part in SECTIONS.values() for name, text in part.items()}
)


class CommandGroup(click.Group):
    """The commands in `cli/commands/`: the command `x` is the object `command` in the module `x`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None where there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"cli.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line.

        Raises:
            UsageError: There is none of this name; the message suggests the nearest.
        """
        name = args[0]
        if name not in COMMANDS:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "`saga --help` lists the commands."
            raise click.UsageError(f"There is no command {name!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Carry out the command; a reader that went away keeps its own exit code, which click would make 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReportedError(Exit.BROKEN_PIPE) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing one."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(12), text) for name, text in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name without importing one."""
        names = [CompletionItem(name, help=COMMANDS[name]) for name in COMMANDS if name.startswith(incomplete)]
        return names or super().shell_complete(ctx, incomplete)
