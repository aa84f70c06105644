"""The compiler: many files, all mistakes at once, one digest for one meaning."""

from pathlib import Path

import pytest

from contracts.actions import ActionSpec
from workflows.language.compiler import Compilation, compile_sources
from workflows.language.diagnostics import render

PLANS = Path(__file__).parent / "golden" / "plans"
AGENT_ACTIONS = (
    "validateAgentInput",
    "createAgentRecord",
    "initializeKnowledgeBase",
    "initializePatternStore",
    "sendCreationNotification",
    "rollbackAgentCreation",
)
ACTIONS = {name: ActionSpec(name) for name in (*AGENT_ACTIONS, "do.it")}


def compiled(*texts: str) -> Compilation:
    """Compile definitions named `0.yaml`, `1.yaml` and so on."""
    return compile_sources({f"{number}.yaml": text for number, text in enumerate(texts)}, ACTIONS)


def digest(text: str) -> str:
    """Return the digest of a right definition."""
    compilation = compiled(text)
    assert compilation.library is not None, compilation.diagnostics
    (definition,) = compilation.library.all()
    return definition.plan.digest


SIMPLE = "id: a\nversion: 1.0.0\nsteps:\n  - {id: s, action: do.it, with: {x: 1}, onError: continue}\n"


@pytest.mark.parametrize(
    "other",
    [
        "# a comment\nversion: '1.0.0'\nid: a\nsteps:\n"
        "  - on_error: continue\n    with:\n      x: 0x1\n    action: do.it\n    id: s\n",
        '{"steps": [{"onError": "continue", "type": "action", "id": "s", "action": "do.it", "with": {"x": 1}}], '
        '"version": "1.0.0", "id": "a"}',
        SIMPLE.replace("\n", "\r\n"),
    ],
)
def test_digest_does_not_depend_on_spelling(other: str) -> None:
    """Comments, order of keys, quotes, camel or snake case, YAML or JSON, line ends: one meaning, one digest."""
    assert digest(other) == digest(SIMPLE)


@pytest.mark.parametrize(
    "other",
    [
        SIMPLE.replace("x: 1", "x: 2"),
        SIMPLE.replace("x: 1", "x: '1'"),
        SIMPLE.replace(", onError: continue", ""),
        SIMPLE.replace("id: s", "id: t"),
        SIMPLE + "output: 1\n",
    ],
)
def test_digest_changes_with_the_meaning(other: str) -> None:
    """Whatever changes what a run does changes the digest."""
    assert digest(other) != digest(SIMPLE)


def test_agent_creation_has_one_digest_in_json_and_yaml() -> None:
    """The definition loads unchanged in both forms and means the same."""
    forms = [(PLANS / f"agent-creation{suffix}").read_text("utf-8") for suffix in (".json", ".yaml")]
    assert digest(forms[0]) == digest(forms[1])


def test_versions_live_side_by_side() -> None:
    """Two versions of one definition are two entries; the highest takes new starts."""
    compilation = compiled(SIMPLE, SIMPLE.replace("1.0.0", "1.10.0"), SIMPLE.replace("1.0.0", "1.9.0"))
    assert compilation.library is not None
    current = compilation.library.resolve("a")
    assert current is not None
    assert (current.version, current.file) == ("1.10.0", "1.yaml")
    assert len(compilation.library.all()) == 3


def test_same_version_twice_is_refused() -> None:
    """A version has one content, so it has one file."""
    compilation = compiled(SIMPLE, SIMPLE)
    assert compilation.library is None
    assert [(each.file, each.code) for each in compilation.diagnostics] == [("1.yaml", "duplicate-definition")]


def test_all_mistakes_of_all_files_come_in_one_go() -> None:
    """YAML, shape and meaning are reported together, in the order of files and lines."""
    wrong = (
        "id: b\nid: c\nversion: 1.0.0\nsteps:\n"
        "  - {id: s, action: do.ti}\n"
        "  - {id: t, vars: {}, nmae: T}\n"
        "  - {id: u, vars: {x: '${ inptu }'}}\n"
    )
    compilation = compiled("id: [", wrong, SIMPLE)
    assert [(each.file, each.line, each.code) for each in compilation.diagnostics] == [
        ("0.yaml", 1, "yaml-syntax"),
        ("1.yaml", 2, "yaml-duplicate-key"),
        ("1.yaml", 5, "unknown-action"),
        ("1.yaml", 6, "unknown-key"),
        ("1.yaml", 7, "bad-expression"),
    ]
    assert not compilation.ok


def test_stand_ins_cause_no_second_finding() -> None:
    """What a rule would say of a missing value is left out: the missing key says it."""
    compilation = compiled("id: a\nversion: 1.0.0\nsteps:\n  - {id: s, type: action}\n  - {id: t}\n")
    assert [(each.line, each.code) for each in compilation.diagnostics] == [(4, "missing-key"), (5, "unknown-type")]


def test_diagnostics_can_be_rendered_with_the_texts() -> None:
    """The compilation keeps each file's text for the excerpt."""
    compilation = compiled("id: a\nversion: 1.0.0\nsteps: 5\n")
    (diagnostic,) = compilation.diagnostics
    assert "3 | steps: 5\n  |        ^" in render(diagnostic, compilation.texts["0.yaml"])


def test_warnings_are_no_failure() -> None:
    """With warnings alone there is a library."""
    compilation = compiled(SIMPLE.replace("x: 1", "x: 01"))
    assert compilation.ok
    assert [each.severity for each in compilation.diagnostics] == ["warning"]


def test_nothing_compiles_to_an_empty_library() -> None:
    """No files are no error."""
    assert compiled().ok


def test_mistakes_of_all_stages_on_one_line_are_all_told() -> None:
    """What is wrong in its shape hides no other mistake of its line, which in JSON may be the whole file."""
    compilation = compiled(
        "id: a\nversion: 1.0.0\nsteps: [{id: s, action: do.it, timeout: x, if: input.}]\n"
        "triggers: [{schedule: {cron: 61 3 * * *, timezone: Mars, catch_up: x}}]\n"
    )
    codes = [diagnostic.code for diagnostic in compilation.diagnostics]
    assert codes == ["bad-duration", "bad-expression", "bad-cron", "unknown-timezone", "bad-duration"]


@pytest.mark.parametrize("number", ["1e400", ".inf", "9223372036854775808"])
def test_number_that_json_does_not_have_is_one_mistake(number: str) -> None:
    """The stand-in of a refused number is not complained of once more."""
    compilation = compiled(f"id: a\nversion: 1.0.0\ntimeout: {number}\nsteps: [{{id: s, action: do.it}}]\n")
    assert [diagnostic.code for diagnostic in compilation.diagnostics] == ["yaml-number"]
