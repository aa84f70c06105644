"""The command group: knows each command by name and one sentence, and imports its file only when it runs.

So `saga --help` and completion of a command's name cost nothing, and a command's file may import at its top what
the command needs. A misspelt command gets a suggestion. A group inside a group (`saga events`) is one more of these,
over its own folder of files; what there is stands in cli/menu.py.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from cli.exits import Exit, ReportedError
from cli.menu import GROUPS, Sections

PACKAGE = "cli.commands"


class CommandGroup(click.Group):
    """The commands in a package: the command `x` is the object `command` in the module `x`, or a group of its own."""

    def __init__(self, *, package: str, sections: Sections, **attributes: Any) -> None:
        """Offer the commands of `sections`, whose files are in `package`; the rest is click's."""
        super().__init__(**attributes)
        self._package, self._sections = package, sections
        self._known: Mapping[str, str] = {name: text for part in sections.values() for name, text in part.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a newcomer meets them."""
        return list(self._known)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None where there is none of this name."""
        if cmd_name not in self._known:
            return None
        if self._package == PACKAGE and cmd_name in GROUPS:
            return group_named(cmd_name)
        command: click.Command = importlib.import_module(f"{self._package}.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line.

        Raises:
            UsageError: There is none of this name; the message suggests the nearest.
        """
        name = args[0]
        if name not in self._known:
            near = difflib.get_close_matches(name, self._known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"`{ctx.command_path} --help` lists the commands."
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
        for title, commands in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(12), text) for name, text in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name without importing one."""
        names = [CompletionItem(name, help=text) for name, text in self._known.items() if name.startswith(incomplete)]
        return names or super().shell_complete(ctx, incomplete)


def group_named(name: str) -> CommandGroup:
    """Return the group of commands `saga NAME`, which must be one of `GROUPS`."""
    group = GROUPS[name]
    return CommandGroup(package=f"{PACKAGE}.{name}", sections=group.sections, name=name, help=group.help)
