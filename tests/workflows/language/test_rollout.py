"""Rollouts: who gets which version."""

from __future__ import annotations

import subprocess
import sys

import pytest

from contracts.json import Json
from workflows.language.compiler import compile_sources
from workflows.language.library import Library
from workflows.language.rollout import PLACES, place_of, takes

TEXT = "id: order\nversion: {version}\n{more}\nsteps: [{{id: a, vars: {{x: 1}}}}]\n"
KEYS = [f"k{number}" for number in range(2000)]


def library(**versions: str) -> Library:
    """Compile versions of one definition: `v1_0_0="rollout: {percent: 10}"`."""
    sources = {
        f"{name}.yaml": TEXT.format(version=name[1:].replace("_", "."), more=more) for name, more in versions.items()
    }
    found = compile_sources(sources, {}).library
    assert found is not None
    return found


def chosen(found: Library, key: str, given: Json = None, name: str = "order") -> str:
    """Return the version that a run with this key follows."""
    definition = found.choose(name, key, given)
    assert definition is not None
    return definition.version


@pytest.mark.integration
def test_place_is_the_same_in_every_process() -> None:
    """The hash knows no seed; a change of it would move runs between versions."""
    code = "from workflows.language.rollout import place_of; print(place_of('order', 'k1'), place_of('order', 'ä'))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    assert run.stdout.split() == [str(place_of("order", "k1")), str(place_of("order", "ä"))]
    assert (place_of("order", "k1"), place_of("offer", "k1")) == (253, 7033)


def test_percentages_take_their_share_and_keep_it() -> None:
    """A tenth is a tenth; with a growing percentage nobody goes back to the old version."""
    found = library(v1_0_0="", v2_0_0="rollout: {percent: 10}")
    first = {key for key in KEYS if chosen(found, key) == "2.0.0"}
    assert 0.08 < len(first) / len(KEYS) < 0.12
    more = found.with_percentages({("order", "2.0.0"): 50.0})
    assert first < {key for key in KEYS if chosen(more, key) == "2.0.0"}


@pytest.mark.parametrize(("percent", "taken"), [(0.0, 0), (0.01, 1), (33.33, 3333), (100.0, PLACES)])
def test_percentage_counts_in_hundredths(percent: float, taken: int) -> None:
    """Two decimals are exact; nothing and everything are really that."""
    assert sum(takes(percent, place) for place in range(PLACES)) == taken


def test_operator_takes_a_version_back_at_once() -> None:
    """What an operator set counts instead of the file; 0 is nobody, also with nothing below 100 elsewhere."""
    found = library(v1_0_0="", v2_0_0="").with_percentages({("order", "2.0.0"): 0.0})
    assert {chosen(found, key) for key in KEYS} == {"1.0.0"}
    assert [each.version for each in found.current()] == ["1.0.0"]
    assert chosen(found, "k", name="order@2.0.0") == "2.0.0"
    assert found.choose("order@3.0.0", "k", None) is None


def test_last_version_takes_what_no_rollout_takes() -> None:
    """Three versions below 100 % share everything; the leading one is the lowest."""
    found = library(v1_0_0="rollout: {percent: 0}", v2_0_0="rollout: {percent: 50}", v3_0_0="rollout: {percent: 10}")
    assert [(each.version, share) for each, share in found.shares("order")] == [
        ("3.0.0", 10.0),
        ("2.0.0", 40.0),
        ("1.0.0", 50.0),
    ]
    assert {chosen(found, key) for key in KEYS} == {"1.0.0", "2.0.0", "3.0.0"}
    leading = found.resolve("order")
    assert leading is not None
    assert leading.version == "1.0.0"


def test_runs_of_one_customer_go_together() -> None:
    """`sticky_by` is asked for the value; where the input has none, the key decides."""
    found = library(v1_0_0="", v2_0_0="rollout: {percent: 50, sticky_by: input.customer}")
    for customer in ("ada", "bob", 7):
        assert len({chosen(found, key, {"customer": customer}) for key in KEYS}) == 1
    assert {chosen(found, key, {}) for key in KEYS} == {"1.0.0", "2.0.0"}


def test_rollout_does_not_change_the_content() -> None:
    """The digest is the plan's, so a deployed version may get another rollout in its file."""
    [plain] = library(v1_0_0="").all()
    [rolled] = library(v1_0_0="rollout: {percent: 5}").all()
    assert plain.plan.digest == rolled.plan.digest


@pytest.mark.parametrize(
    ("sticky_by", "code"),
    [
        ("run.key", None),
        ("input.customer", None),
        ("'x' + string(input.n)", None),
        ("run.id", "not-in-scope"),
        ("vars.x", "not-in-scope"),
        ("steps.a.output", "step-not-before"),
        ("'same'", "bad-value"),
        ("[run.key]", "type-error"),
        ("${ run.key }", "wrapped-expression"),
    ],
)
def test_sticky_by_sees_what_is_there_when_a_version_is_chosen(sticky_by: str, code: str | None) -> None:
    """The input and the key; anything else is complained of."""
    text = TEXT.format(version="1.0.0", more=f'rollout: {{percent: 5, sticky_by: "{sticky_by}"}}')
    assert [each.code for each in compile_sources({"a.yaml": text}, {}).diagnostics] == ([code] if code else [])
