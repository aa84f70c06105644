"""The topology of the command line: the operator's file, and what it and we want on the broker.

Where no file is named it is `topology.yaml` beside the definitions; where that is missing the defaults count. Its
mistakes are shown with their lines, like a definition's.
"""

from __future__ import annotations

from pathlib import Path

import click

from bridge.settings import BridgeSettings
from bridge.topology.diff import Finding, State
from bridge.topology.errors import InvalidTopologyError
from bridge.topology.file import load_topology
from bridge.topology.layout import layout
from bridge.topology.model import Declarations, Topology
from cli.definitions import default_folder, rendered
from cli.exits import BadInputError, Exit, ReportedError
from cli.output import print_table

FILE = "topology.yaml"
_READ_BYTES = 8 * 1024 * 1024
_WORDS = {State.UNKNOWN: "cannot be told"}


def read_topology(file: Path | None = None) -> Topology:
    """Return what the operator's file says; `None` means the one beside the definitions, if it is there.

    Raises:
        BadInputError: A file that was named cannot be read.
        ReportedError: It has mistakes, which were shown.
    """
    path = file or default_folder() / FILE
    if file is None and not path.is_file():
        return Topology()
    content = _read(path)
    try:
        return load_topology(content, str(path))
    except InvalidTopologyError as error:
        text = content.decode(errors="replace")
        click.echo("\n\n".join(rendered(each, text) for each in error.diagnostics), err=True)
        raise ReportedError(Exit.BAD_INPUT) from error


def wanted(settings: BridgeSettings) -> Declarations:
    """Return what a bridge with these settings wants on the broker, and what the file adds."""
    topology = settings.topology
    return layout(topology, settings.bindings, settings.dead_letter_retention) + topology.own


def print_findings(findings: tuple[Finding, ...]) -> None:
    """Print a line for each exchange, queue and binding, and what differs."""
    rows = [(each.kind, each.name, _WORDS.get(each.state, each.state.value), _details(each)) for each in findings]
    print_table(("KIND", "NAME", "STATUS", "WHAT DIFFERS"), rows)


def print_cures(findings: tuple[Finding, ...]) -> None:
    """Print what to do about each that cannot be changed."""
    stuck = unchangeable(findings)
    if stuck:
        click.echo()
        print_table(("CANNOT BE CHANGED", "WHAT TO DO"), [(f"{each.kind} {each.name}", each.cure) for each in stuck])


def unchangeable(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return what somebody has to do something about, because declaring cannot."""
    return tuple(each for each in findings if each.state in (State.DIFFERS, State.SURPLUS))


def _details(finding: Finding) -> str:
    found = finding.difference
    return f"{found.argument}: {found.found} on the broker, {found.wanted} here" if found else finding.detail


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_READ_BYTES)
    except OSError as error:
        raise BadInputError(f"{file} cannot be read: {error.strerror}.") from error
