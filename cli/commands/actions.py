"""`saga actions`: what a step can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from activities.registry import catalog
from cli.exits import BadInputError
from cli.output import print_json, print_table
from contracts.actions import ActionSpec
from contracts.json import Json
from workflows.language.diagnostics import did_you_mean


@click.command("actions")
@click.argument("name", required=False, metavar="[ACTION]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document with the schemas.")
def command(name: str | None, as_json: bool) -> None:
    """List the actions that a step may name, or show the inputs and outputs of one.

    \b
    Examples:
      saga actions
      saga actions http.request
      saga actions --json | jq '.[].name'
    """
    actions = catalog()
    if name is not None and name not in actions:
        raise BadInputError(f"There is no action {name!r}; {did_you_mean(name, actions)}")
    chosen = [actions[name]] if name else [actions[each] for each in sorted(actions)]
    if as_json:
        print_json([_document(spec) for spec in chosen])
    elif name:
        _show(chosen[0])
    else:
        print_table(("ACTION", "RUNS", "WHAT IT DOES"), [(spec.name, _runs(spec), spec.summary) for spec in chosen])


def _show(spec: ActionSpec) -> None:
    click.echo(f"{click.style(spec.name, bold=True)} (runs {_runs(spec)}, {spec.attempt_timeout:g} s an attempt)")
    click.echo(f"{spec.summary}\n")
    for title, schema in (("INPUT", spec.input_schema), ("OUTPUT", spec.output_schema)):
        rows = list(_fields(schema))
        if rows:
            print_table((title, "TYPE", "NEEDED", ""), rows)
            click.echo()


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    required = schema.get("required", ())
    for field, detail in schema.get("properties", {}).items():
        yield field, _type(detail), "yes" if field in required else "", str(detail.get("description", ""))


def _type(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    return str(schema.get("type") or schema.get("$ref", "any").rpartition("/")[2])


def _runs(spec: ActionSpec) -> str:
    return "local" if spec.local else "remote"


def _document(spec: ActionSpec) -> dict[str, Json]:
    return {
        "name": spec.name,
        "summary": spec.summary,
        "local": spec.local,
        "attempt_timeout": spec.attempt_timeout,
        "input": dict(spec.input_schema),
        "output": dict(spec.output_schema),
    }
