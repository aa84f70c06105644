"""The top level of a definition."""

from __future__ import annotations

from workflows.language.diagnostics import Diagnostic, Diagnostics
from workflows.language.nodes import Definition, Keep, Located, Rollout, Text, walk
from workflows.language.parse.acting import compensation_of, saga_of
from workflows.language.parse.fields import Fields, kind_of
from workflows.language.parse.keys import DEFINITION, KEEP, ROLLOUT
from workflows.language.parse.steps import read_steps
from workflows.language.parse.triggers import triggers_of
from workflows.language.parse.watching import lifecycle_of, sla_of
from workflows.language.source import Source
from workflows.language.tree import Scalar, Table
from workflows.language.versions import is_version

MOST_STEPS = 2_000

_VERSION_HINT = "three numbers such as 1.0.0"


def parse(source: Source) -> tuple[Definition | None, tuple[Diagnostic, ...]]:
    """Return the nodes of a definition with everything that is wrong in its shape.

    Returns:
        The definition, None where the file holds no mapping or far too many steps; where there are errors it has
        stand-ins and must not be lowered, but can be checked for further mistakes.
    """
    diagnostics = Diagnostics(source.file)
    tree = source.tree
    if isinstance(tree, Table):
        definition = _bounded(_definition(source.file, tree, diagnostics), diagnostics)
        return definition, tuple(diagnostics.found)
    if tree is not None:
        diagnostics.error(tree.at, "wrong-type", f"a definition is a mapping, not {kind_of(tree)}", "begin with 'id: '")
    return None, tuple(diagnostics.found)


def _bounded(definition: Definition, diagnostics: Diagnostics) -> Definition | None:
    """Return the definition, unless its number of steps would make the checks take minutes."""
    for number, step in enumerate(walk(definition.steps), 1):
        if number > MOST_STEPS:
            hint = "start parts of it as workflows of their own"
            diagnostics.error(step.id.at, "too-many-steps", f"a definition has at most {MOST_STEPS:,} steps", hint)
            return None
    return definition


def _definition(file: str, table: Table, diagnostics: Diagnostics) -> Definition:
    fields = Fields(table, "a definition", DEFINITION, diagnostics)
    fields.need("steps", "a list of steps")
    steps = fields.tree("steps")
    return Definition(
        file=file,
        tree=table,
        id=fields.identity(),
        version=_version(fields),
        steps=() if steps is None else read_steps(steps, "/steps", diagnostics),
        name=fields.text("name"),
        description=fields.text("description"),
        input=fields.schema("input"),
        output=fields.tree("output"),
        key=fields.tree("key"),
        timeout=fields.seconds("timeout"),
        saga=saga_of(fields),
        compensation=compensation_of(fields),
        triggers=triggers_of(fields),
        rollout=_rollout(fields),
        lifecycle=lifecycle_of(fields),
        sla=sla_of(fields),
        keep=_keep(fields),
    )


def _version(fields: Fields) -> Text:
    written = fields.tree("version")
    if isinstance(written, Scalar) and isinstance(written.value, int | float):
        fields.error(written.at, "bad-version", f"{written.value} is no semantic version", _VERSION_HINT)
        return Located("", written.at)
    version = fields.needed_text("version")
    if version.value and not is_version(version.value):
        message = f"{version.value!r:.60} is no semantic version"
        fields.error(version.at, "bad-version", message, _VERSION_HINT)
    return version


def _rollout(fields: Fields) -> Rollout | None:
    table = fields.table_of("rollout")
    if table is None:
        return None
    keys = Fields(table, "rollout", ROLLOUT, fields.diagnostics)
    keys.need("percent", "a number from 0 to 100")
    return Rollout(keys.number("percent", 0, 100), keys.condition("sticky_by"))


def _keep(fields: Fields) -> Keep:
    table = fields.table_of("keep")
    if table is None:
        return Keep()
    keys = Fields(table, "keep", KEEP, fields.diagnostics)
    return Keep(keys.seconds("succeeded"), keys.seconds("failed"))
