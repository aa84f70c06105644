"""What only all definitions together can show: each version once, and every child workflow exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workflows.language import nodes
from workflows.language.check.circles import check_circles
from workflows.language.check.constants import complaints
from workflows.language.diagnostics import Diagnostic, Diagnostics, did_you_mean, in_order
from workflows.language.tree import Table, plain
from workflows.language.versions import is_version, version_key

Versions = Mapping[str, Mapping[str, nodes.Definition]]

CODES: Mapping[str, str] = {
    "duplicate-definition": "Two files hold the same version of a definition.",
    "bad-child-input": "A step starts another definition with an input that its input schema refuses.",
    "unknown-workflow": "A step starts a definition, or a version of one, that does not exist.",
}


def check_library(definitions: Sequence[nodes.Definition]) -> list[Diagnostic]:
    """Return what is wrong between definitions, in the order of the files."""
    versions: dict[str, dict[str, nodes.Definition]] = {}
    found: list[Diagnostic] = []
    for definition in definitions:
        earlier = versions.setdefault(definition.id.value, {}).setdefault(definition.version.value, definition)
        if earlier is not definition:
            found += _duplicate(definition, earlier)
    for definition in definitions:
        report = Diagnostics(definition.file)
        for step in nodes.walk(definition.steps):
            if isinstance(step, nodes.Workflow):
                _exists(report, step.workflow, versions)
                _input(report, step, versions)
        found += report.found
    return list(in_order([*found, *check_circles(definitions)]))


def _duplicate(definition: nodes.Definition, earlier: nodes.Definition) -> list[Diagnostic]:
    report = Diagnostics(definition.file)
    name = f"{definition.id.value}@{definition.version.value}"
    message = f"{earlier.file} holds {name} as well; a version has one content"
    report.error(definition.version.at, "duplicate-definition", message, "give the changed one a new version")
    return report.found


def _exists(report: Diagnostics, text: nodes.Text, versions: Versions) -> None:
    identity, _, version = text.value.partition("@")
    known = versions.get(identity)
    if known is None:
        hint = did_you_mean(identity, versions)
        report.error(text.at, "unknown-workflow", f"there is no definition {identity!r}", hint)
    elif version and version not in known:
        message = f"there is no version {version!r} of {identity!r}"
        report.error(text.at, "unknown-workflow", message, did_you_mean(version, known))


def _input(report: Diagnostics, step: nodes.Workflow, versions: Versions) -> None:
    """The constant parts of the input fit the schema; of several versions that of the one that takes new starts."""
    identity, _, version = step.workflow.value.partition("@")
    known = versions.get(identity, {})
    newest = max(filter(is_version, known), key=version_key, default="")
    child = known.get(version or newest)
    schema = plain(child.input) if child is not None and child.input is not None else None
    if not isinstance(schema, dict):
        return
    for found in complaints(step.input or Table((), step.workflow.at), schema):
        where = ".".join(map(str, ("input", *(found.path if found.kind == "value" else found.path[:-1]))))
        message = f"{step.workflow.value!r} would refuse this: `{where}`: {found.message}"
        report.error(found.at, "bad-child-input", message, found.hint)
