"""`saga completion`: the script that makes a shell complete commands and options."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

_SHELLS: Mapping[str, type[ShellComplete]] = MappingProxyType(
    {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
)


@click.command("completion")
@click.argument("shell", type=click.Choice(tuple(_SHELLS)))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      saga completion bash > ~/.local/share/bash-completion/completions/saga
      saga completion zsh > ~/.zfunc/_saga        (a folder of $fpath)
      saga completion fish > ~/.config/fish/completions/saga.fish
    """
    click.echo(_SHELLS[shell](context.find_root().command, {}, "saga", "_SAGA_COMPLETE").source())
