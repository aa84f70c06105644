"""Hostile and random definitions: whatever a file holds, the compiler answers with diagnostics and never raises."""

import json
import sys
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.actions import ActionSpec
from workflows.language import plan as plans
from workflows.language.canonical import sealed
from workflows.language.compiler import compile_sources
from workflows.language.diagnostics import render
from workflows.language.parse import keys

ACTIONS = {"do.it": ActionSpec("do.it"), "event.publish": ActionSpec("event.publish")}
EVERY_KEY = (Path(__file__).parent / "golden" / "plans" / "every-key.yaml").read_text("utf-8")
IDS = st.sampled_from(("a", "b", "c", "d"))
SCALARS = st.sampled_from(
    (
        *(None, True, False, 0, 1, -1, 2.5, 2**70, "", "a", "b", "5s", "all", "any", "continue", "reject", "local"),
        *("${ input.a }", "${ steps.a.output }", "${ broken", "input.a > 1", "true", "order.*", "0 3 * * *", "do.it"),
        *("1.0.0", "role:x", "${ uuid() }", "a\nb", "\u00e9\U0001f600", "2030-01-01T00:00:00Z"),
    )
)
KEYS = st.sampled_from(sorted({key for names in keys.STEPS.values() for key in names} | set(keys.DEFINITION)))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
TARGETS = frozenset({"next", "join", "on_error", "on_timeout", "on_reject", "compensate"})
BODIES = frozenset({"steps", "finally"})


def values_of(key: str, steps: st.SearchStrategy[list[object]]) -> st.SearchStrategy[object]:
    """Return values for a key, mostly of the kind that belongs there."""
    case = st.fixed_dictionaries({"when": st.just("input.a > 1"), "steps": steps})
    catch = st.fixed_dictionaries({"errors": st.just(["x"]), "steps": steps})
    target = IDS | st.lists(IDS, max_size=3) | VALUES
    known: dict[str, st.SearchStrategy[object]] = {
        "branches": st.dictionaries(IDS, steps, max_size=3),
        "cases": st.lists(case, max_size=2),
        "catch": st.lists(catch, max_size=2),
        **dict.fromkeys(BODIES, steps),
        **dict.fromkeys(TARGETS, target),
    }
    return known.get(key, VALUES)


def step_lists(steps: st.SearchStrategy[list[object]]) -> st.SearchStrategy[list[object]]:
    """Return lists of steps of every type, with bodies drawn from `steps`."""
    kinds = [
        st.fixed_dictionaries(
            {"id": IDS, "type": st.just(kind)},
            optional={name: values_of(name, steps) for name in names if name not in ("id", "type")},
        )
        for kind, names in keys.STEPS.items()
    ]
    return st.lists(st.one_of(kinds), min_size=1, max_size=3)


STEPS: st.SearchStrategy[list[object]] = st.recursive(st.just([]), step_lists, max_leaves=3)
DEFINITIONS = st.fixed_dictionaries(
    {"id": st.just("x"), "version": st.just("1.0.0"), "steps": step_lists(STEPS)},
    optional={name: VALUES for name in keys.DEFINITION if name not in ("id", "version", "steps")},
)


def targets(node: plans.AnyNode) -> set[str | None]:
    """Return every node that a node names."""
    named = {node.next, *(handler.next for handler in node.handlers)}
    match node:
        case plans.Decide():
            return named | {case.next for case in node.cases} | {node.otherwise}
        case plans.Fork():
            return named | {branch.entry for branch in node.branches} | {node.join}
        case plans.Foreach() | plans.Repeat():
            return named | {node.entry}
        case plans.Attempt():
            return named | {catch.entry for catch in node.catches} | {node.entry, node.final}
        case plans.Approval():
            return named | {node.timeout_next, node.on_reject}
        case plans.Receive():
            return named | {node.timeout_next}
    return named


def check_whole(plan: plans.Plan) -> None:
    """Assert that a plan names only nodes that it has, under their own ids, and is sealed."""
    assert plan.entry in plan.nodes
    assert all(name == node.id for name, node in plan.nodes.items())
    assert {target for node in plan.nodes.values() for target in targets(node)} <= plan.nodes.keys() | {None}
    assert sealed(plan).digest == plan.digest


def check_total(text: str | bytes) -> None:
    """Compile a text: there is a library or an error, and every finding can be shown and sent."""
    compilation = compile_sources({"x.yaml": text}, ACTIONS)
    errors = [each for each in compilation.diagnostics if each.severity == "error"]
    assert (compilation.library is None) == bool(errors)
    if compilation.library is not None:
        for definition in compilation.library.all():
            check_whole(definition.plan)
    for diagnostic in compilation.diagnostics:
        assert diagnostic.message
        assert render(diagnostic, compilation.texts["x.yaml"])
        assert json.dumps(diagnostic.to_json())


@settings(deadline=None, max_examples=150)
@given(DEFINITIONS)
def test_any_structure_of_known_keys_is_answered(definition: dict[str, object]) -> None:
    """Right keys with wrong, odd or right values never raise."""
    check_total(json.dumps(definition))


@settings(deadline=None, max_examples=150)
@given(
    st.integers(0, len(EVERY_KEY) - 1),
    st.integers(0, 40),
    st.text("\n\t :-{}[]\"'#&*!|>%@`,?$\u2028abc0", max_size=6),
)
def test_any_small_damage_is_answered(start: int, length: int, instead: str) -> None:
    """A right definition with a stretch replaced by something else never raises."""
    check_total(EVERY_KEY[:start] + instead + EVERY_KEY[start + length :])


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered(content: bytes) -> None:
    """Random bytes never raise."""
    check_total(content)


def long_list(line: str) -> str:
    """Return a definition of 2,000 steps, the most that there may be, written by their numbers."""
    steps = "\n".join(f"- {{{line.format(n=number)}}}" for number in range(2000))
    return f"id: x\nversion: 1.0.0\nsteps:\n{steps}\n"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("id: a{n}, action: do.it, compensate: {{action: do.it}}", None),
        ("id: a{n}, action: do.it, next: z{n}", "unknown-step"),
        ("id: a, action: do.it", "duplicate-step-id"),
        ("id: a{n}, action: do.itt", "unknown-action"),
    ],
)
def test_longest_list_is_answered_in_steps_and_not_in_their_square(line: str, code: str | None) -> None:
    """No rule looks through all steps for each step: that would be 4 million looks, which this would show."""
    looks = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal looks
        looks += event == "call"

    sys.setprofile(count)
    try:
        compilation = compile_sources({"x.yaml": long_list(line)}, ACTIONS)
    finally:
        sys.setprofile(None)
    assert {diagnostic.code for diagnostic in compilation.diagnostics} == ({code} if code else set())
    assert looks < 2_000_000
