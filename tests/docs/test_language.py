"""docs/language.md is complete: every step type, key, function and default is in it."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import section, text_of
from workflows.language.composing import MAX_DEPTH, MAX_NODES
from workflows.language.expressions.functions import FUNCTIONS
from workflows.language.expressions.parse import MAX_CHARACTERS
from workflows.language.parse import keys, loops, waiting
from workflows.language.parse.acting import MOST_ATTEMPTS
from workflows.language.parse.definition import MOST_STEPS
from workflows.language.plan import COMPENSATION_RETRY, Retry
from workflows.language.source import MAX_BYTES
from workflows.language.triggers import ScheduleTrigger

EVERY = frozenset({"id", "type", "name", "if", "next", "on_error", "timeout"})
TABLES = {
    "a definition": keys.DEFINITION,
    "retry": keys.RETRY,
    "on_error": keys.HANDLER,
    "saga": keys.SAGA,
    "a trigger": keys.TRIGGER,
    "start": keys.START,
    "signal": keys.SIGNAL,
    "schedule": keys.SCHEDULE,
    "sla": keys.SLA,
    "remind": keys.REMIND,
    "escalate": keys.ESCALATE,
    "catch": keys.CATCH,
    "a problem": keys.PROBLEM,
}


def words(text: str) -> set[str]:
    """Return the words of a text that could be keys."""
    return set(re.findall(r"[a-z_]+", text))


@pytest.mark.parametrize("kind", keys.STEPS)
def test_every_key_of_a_step_type_is_explained(kind: str) -> None:
    """The section of a step type names its own keys; what several share has a section of its own."""
    text = section("language.md", kind)
    if kind == "approval":
        text += section("language.md", "Waiting for people")
    own = set(keys.STEPS[kind]) - EVERY - (set(keys.ACTING) if kind in ("action", "emit") else set())
    assert own - words(text) == set()


def test_keys_that_steps_share_are_explained() -> None:
    """The keys of every step and of those that act are in the tables of their section."""
    assert (EVERY | set(keys.COMPENSATE)) - {"action", "with"} <= words(section("language.md", "What every step has"))


@pytest.mark.parametrize("where", TABLES)
def test_every_other_key_is_explained(where: str) -> None:
    """No key of the language is missing on the page."""
    assert set(TABLES[where]) - words(text_of("language.md")) - {"percent", "sticky_by"} == set()


def test_every_function_of_expressions_is_listed() -> None:
    """The page lists the functions that expressions have."""
    listed = set(re.findall(r"`([A-Za-z.]+)`", section("language.md", "Functions")))
    assert {name for name, _ in FUNCTIONS} - listed == set()


def test_defaults_of_retries_are_those_of_the_page() -> None:
    """The numbers in the table of defaults are those of the plan."""
    retry, text = Retry(), section("language.md", "Defaults")
    row = f"{retry.attempts} `attempts`, `backoff` {retry.backoff:g}s, `factor` {retry.factor:g}"
    assert f"{row}, `max_backoff` {retry.max_backoff:g}s, `jitter` {retry.jitter:g}" in text
    assert f"the same with {COMPENSATION_RETRY.attempts} attempts" in text
    assert Retry(attempts=COMPENSATION_RETRY.attempts) == COMPENSATION_RETRY


def test_defaults_of_schedules_are_those_of_the_page() -> None:
    """The words in the table of defaults are those of the trigger."""
    usual, text = ScheduleTrigger("* * * * *"), section("language.md", "Defaults")
    assert f"`timezone` {usual.timezone}, `overlap` {usual.overlap}, `catch_up` {usual.catch_up / 60:g}m" in text
    assert (usual.jitter, usual.paused) == (0, False)


def test_limits_are_those_of_the_page() -> None:
    """The numbers in the table of limits are those of the compiler."""
    text = section("language.md", "Limits")
    size = f"{MAX_BYTES >> 20} MiB, {MAX_DEPTH} levels, {MAX_NODES:,} values, {MOST_STEPS:,} steps"
    assert f"| a file | {size} |" in text
    assert f"| `concurrency` | {loops.MOST_AT_ONCE:,} |" in text
    assert f"`retry.attempts` | {MOST_ATTEMPTS:,} |" in text
    assert loops.MOST_ROUNDS == MOST_ATTEMPTS
    assert f"| `quorum` | {waiting.MOST_VOTES:,} |" in text
    assert f"| `count` | {waiting.MOST_MESSAGES:,} |" in text
    assert f"at most {MAX_CHARACTERS:,} characters" in section("language.md", "Rules")
