"""The parse stage: what each mistake in the shape of a definition is called and where it is shown."""

import textwrap

import pytest

from workflows.language.parse.definition import parse
from workflows.language.parse.keys import STEPS
from workflows.language.parse.steps import PARSERS
from workflows.language.source import read_source

HEAD = "id: x\nversion: 1.0.0\n"


def findings(text: str) -> list[tuple[str, int, str, str]]:
    """Return code, line, message and hint of what is wrong with a definition."""
    _, diagnostics = parse(read_source("t.yaml", text))
    return [(each.code, each.line, each.message, each.hint) for each in diagnostics]


def step_codes(step: str) -> list[str]:
    """Return the codes of what is wrong with a step written as a flow mapping behind its id."""
    return [code for code, _, _, _ in findings(f"{HEAD}steps:\n  - {{id: a, {step}}}\n")]


@pytest.mark.parametrize(
    "step",
    [
        "action: a.b",
        "action: a.b, with: {x: 1}, retry: {attempts: 3, backoff: 500, on: timeout}, compensate: undo",
        "action: a.b, compensate: {action: c.d, with: null, attempt_timeout: 3s}, run: local, priority: 5",
        "action: a.b, onError: continue, attemptTimeout: 5s",
        "action: a.b, on_error: [{errors: [timeout], when: 'true', next: continue}, {next: b}]",
        "condition: 'true', next: [b, c]",
        "condition: true, next: b",
        "cases: [{when: 'true', next: b}, {when: 'false', steps: [{id: c, vars: {}}]}, {when: 'true'}], else: b",
        "cases: [{when: 'true'}], else: [{id: c, vars: {}}], next: d",
        "cases: [{when: 'true'}], else: {next: d}",
        "type: parallel, next: [b, c], join: d, wait: 1",
        "branches: {l: [{id: b, vars: {}}], r: [{id: c, vars: {}}]}, wait: any, on_branch_error: finish, next: d",
        "items: [1, 2], steps: [{id: b, vars: {}}], as: x, index: i, concurrency: 5, collect: 1, batch: 10",
        "while: 'true', max: 3, steps: [{id: b, vars: {}}], carry: {x: 1}",
        "until: 'true', max: 3, steps: [{id: b, vars: {}}], index: n",
        "type: approval",
        "approvers: [role:x], quorum: 2, remind: {every: 1h, emit: e}, escalate: {after: 1h, approvers: [a]}",
        "for: 5m",
        "until: 2030-01-01T00:00:00Z",
        "type: receive, event: a.b",
        "event: a.b, match: 'true', count: 2, timeout: 1h, on_timeout: continue",
        "signal: s",
        "type: emit, event: a.b",
        "event: a.b, data: {x: 1}, version: '1.0', priority: 9, key: k",
        "event: a.b, key: k",
        "workflow: y@1.0.0, input: {}, wait: false, key: k",
        "vars: {x: 1}",
        "type: try, steps: [{id: b, vars: {}}]",
        "steps: [{id: b, vars: {}}], catch: [{errors: [t], as: e, steps: [{id: c, vars: {}}]}], "
        "finally: [{id: d, vars: {}}]",
        "error: {type: x, title: T, detail: D, status: 400}",
        "error: '${ vars.problem }'",
        "type: end",
        "output: {x: 1}",
    ],
)
def test_right_steps_have_no_findings(step: str) -> None:
    """Every step type is read with its keys, with and without `type`."""
    assert step_codes(step) == []


@pytest.mark.parametrize(
    ("step", "codes"),
    [
        ("action: a.b, retries: 3", ["unknown-key", "wrong-type"]),
        ("action: a.b, next: 5", ["wrong-type"]),
        ("action: 5", ["wrong-type"]),
        ("action: ''", ["wrong-type"]),
        ("action: a.b, next: [b, c]", ["several-next"]),
        ("action: a.b, timeout: soon", ["bad-duration"]),
        ("action: a.b, timeout: 0", ["bad-duration"]),
        ("action: a.b, priority: 6", ["out-of-range"]),
        ("action: a.b, priority: high", ["wrong-type"]),
        ("action: a.b, priority: true", ["wrong-type"]),
        ("action: a.b, run: anywhere", ["bad-value"]),
        ("action: a.b, retry: 3", ["wrong-type"]),
        (
            "action: a.b, retry: {attempts: -1, backoff: x, factor: 0.5, jitter: 2}",
            ["out-of-range"] * 3 + ["bad-duration"],
        ),
        ("action: a.b, compensate: 5", ["wrong-type"]),
        ("action: a.b, compensate: {with: {}}", ["missing-key"]),
        ("action: a.b, onError: b, on_error: c", ["duplicate-key"]),
        ("action: a.b, on_error: [{errors: [x]}]", ["missing-key"]),
        ("action: a.b, on_error: [b]", ["wrong-type"]),
        ("action: a.b, if: '${ input.x }'", ["wrapped-expression"]),
        ("action: a.b, if: null", ["wrong-type"]),
        ("type: action", ["missing-key"]),
        ("type: acton, action: a.b", ["unknown-type"]),
        ("type: 5", ["unknown-type"]),
        ("name: N", ["unknown-type"]),
        ("event: a.b", ["unknown-type"]),
        ("condition: 'true'", ["decision-next"]),
        ("condition: 'true', next: [b, c, d]", ["decision-next"]),
        ("condition: 'true', next: b, cases: []", ["conflicting-keys"]),
        ("type: decision", ["missing-key"]),
        ("cases: []", ["empty"]),
        ("cases: [{next: b}, 5]", ["missing-key", "wrong-type"]),
        ("cases: [{when: 'true', next: b, steps: []}]", ["conflicting-keys", "empty"]),
        ("cases: [{when: 'true'}], else: 5", ["wrong-type"]),
        ("type: parallel", ["missing-key"]),
        ("branches: {}", ["empty"]),
        ("branches: {l: []}", ["empty"]),
        ("branches: {l: x}", ["wrong-type"]),
        ("branches: {l: [{id: b, vars: {}}]}, join: c", ["conflicting-keys"]),
        ("type: parallel, next: [b], wait: some", ["bad-value"]),
        ("type: parallel, next: [b], wait: 0", ["out-of-range"]),
        ("items: [1]", ["missing-key"]),
        ("items: [1], steps: [{id: b, vars: {}}], as: 'not a name', concurrency: 0", ["bad-name", "out-of-range"]),
        ("while: 'true', steps: [{id: b, vars: {}}]", ["unbounded-loop"]),
        ("max: 3, steps: [{id: b, vars: {}}]", ["missing-key"]),
        ("type: approval, remind: {emit: e}", ["missing-key"]),
        ("type: approval, escalate: {after: 1h}", ["missing-key"]),
        ("type: approval, form: number", ["wrong-type"]),
        ("type: wait", ["missing-key"]),
        ("for: 1s, until: 2030-01-01", ["conflicting-keys"]),
        ("type: wait, until: 5", ["wrong-type"]),
        ("type: receive", ["missing-key"]),
        ("type: receive, event: a, signal: b", ["conflicting-keys"]),
        ("type: emit, data: {}", ["missing-key"]),
        ("type: emit, event: a.b, version: 1.0", ["wrong-type"]),
        ("type: emit, event: a.b, priority: [1]", ["wrong-type"]),
        ("type: workflow", ["missing-key"]),
        ("workflow: y, wait: perhaps", ["wrong-type"]),
        ("vars: 5", ["wrong-type"]),
        ("type: set", ["missing-key"]),
        ("type: try", ["missing-key"]),
        ("catch: [5], steps: [{id: b, vars: {}}]", ["wrong-type"]),
        ("catch: [{errors: [x]}], steps: [{id: b, vars: {}}]", ["missing-key"]),
        ("error: {title: T}", ["missing-key"]),
        ("error: {type: x, extra: 1}", ["unknown-key"]),
        ("output: 1, next: b", []),
        ("output: 1, condition: 'true'", ["decision-next", "unknown-key"]),
    ],
)
def test_each_mistake_in_a_step_has_its_code(step: str, codes: list[str]) -> None:
    """What is wrong is found under the code that names it, and nothing else is."""
    assert sorted(step_codes(step)) == sorted(codes)


def test_reserved_words_are_no_step_ids() -> None:
    """A step called like a word of `on_error` or `on_timeout` could not be named."""
    assert [code for code, *_ in findings(HEAD + "steps: [{id: continue, vars: {}}]")] == ["bad-id"]


@pytest.mark.parametrize(
    ("top", "codes"),
    [
        ("", ["missing-key"]),
        ("steps: []", ["empty"]),
        ("steps: {a: b}", ["wrong-type"]),
        ("steps: [x]", ["wrong-type"]),
        ("stesp: [{id: a, vars: {}}]", ["unknown-key"]),
        ("timeout: never\nsteps: [{id: a, vars: {}}]", ["bad-duration"]),
        ("input: 5\nsteps: [{id: a, vars: {}}]", ["wrong-type"]),
        ("saga: {order: forward, on: [failure, sunset], retry: {}}\nsteps: [{id: a, vars: {}}]", ["bad-value"] * 2),
        ("compensation: {a: 5}\nsteps: [{id: a, vars: {}}]", ["wrong-type"]),
        ("rollout: {percent: 10, sticky_by: run.key}\nsteps: [{id: a, vars: {}}]", []),
        ("rollout: {percent: 200}\nsteps: [{id: a, vars: {}}]", ["out-of-range"]),
        ("rollout: {sticky_by: run.key}\nsteps: [{id: a, vars: {}}]", ["missing-key"]),
        ("lifecycle: [started, step.completed]\nsla: {max_duration: 1h}\nsteps: [{id: a, vars: {}}]", []),
        ("lifecycle: all\nsla: {maxDuration: 1h, onBreach: emit}\nsteps: [{id: a, vars: {}}]", []),
        ("lifecycle: [startd]\nsteps: [{id: a, vars: {}}]", ["bad-value"]),
        ("lifecycle: {started: true}\nsteps: [{id: a, vars: {}}]", ["wrong-type"]),
        ("sla: {on_breach: emit}\nsteps: [{id: a, vars: {}}]", ["missing-key"]),
        ("sla: {max_duration: soon}\nsteps: [{id: a, vars: {}}]", ["bad-duration"]),
        ("sla: {max_duration: 1h, on_breach: page}\nsteps: [{id: a, vars: {}}]", ["bad-value"]),
        ("sla: 1h\nsteps: [{id: a, vars: {}}]", ["wrong-type"]),
    ],
)
def test_each_mistake_at_the_top_has_its_code(top: str, codes: list[str]) -> None:
    """The keys of the definition itself are checked in the same way."""
    assert [code for code, *_ in findings(HEAD + top)] == codes


@pytest.mark.parametrize(
    ("trigger", "codes"),
    [
        ("event: a.b, start: {}", []),
        ("event: a.*, when: 'true', start: {key: k, input: 1, if_running: fail}", []),
        ("event: a.b, signal: {key: k, name: n, data: 1}, if_missing: dead-letter", []),
        ("event: a.b, cancel: {key: k}, if_missing: drop", []),
        ("schedule: {cron: '0 3 * * *', timezone: UTC, overlap: skip, catch_up: 1h, jitter: 0, paused: true}", []),
        ("start: {}", ["missing-key"]),
        ("event: a.b", ["missing-key"]),
        ("event: a.b, start: {}, cancel: {key: k}", ["conflicting-keys"]),
        ("event: a.b, start: 5", ["wrong-type"]),
        ("event: a.b, start: {}, input: 5", ["conflicting-keys"]),
        ("event: a.b, start: {}, if_missing: drop", ["conflicting-keys"]),
        ("event: a.b, start: {if_running: signal}", []),
        ("event: a.b, start: {if_running: sometimes}", ["bad-value"]),
        ("event: a.b, signal: {key: k}", ["missing-key"]),
        ("event: a.b, signal: {name: n}", ["missing-key"]),
        ("event: a.b, signal: {key: k, name: n}, if_missing: {hold: 7d}", []),
        ("event: a.b, signal: {key: k, name: n}, if_missing: hold", []),
        ("event: a.b, cancel: {key: k}, if_missing: {hold: 1h}", []),
        ("event: a.b, signal: {key: k, name: n}, if_missing: {hold: 8d}", ["bad-duration"]),
        ("event: a.b, signal: {key: k, name: n}, if_missing: {hold: 0}", ["bad-duration"]),
        ("event: a.b, signal: {key: k, name: n}, if_missing: {hold: soon}", ["bad-duration"]),
        ("event: a.b, signal: {key: k, name: n}, if_missing: {hodl: 1h}", ["unknown-key"]),
        ("event: a.b, signal: {key: k, name: n}, if_missing: {}", ["missing-key"]),
        ("event: a.b, signal: {key: k, name: n}, if_missing: hodl", ["bad-value"]),
        ("event: a.b, cancel: {key: k}, if_missing: start", ["bad-value"]),
        ("event: a.b, signal: {correlate: {a: b}, name: n}", []),
        ("event: a.b, signal: {name: n}, correlate: {a: b}", []),
        ("event: a.b, signal: {correlate: {a: b}, name: n}, if_missing: {hold: 1h}", []),
        ("event: a.b, signal: {correlate: {a: b}, name: n}, if_missing: start", ["bad-value"]),
        ("event: a.b, signal: {key: k, correlate: {a: b}, name: n}", ["conflicting-keys"]),
        ("event: a.b, signal: {key: k, name: n}, correlate: {a: b}", ["conflicting-keys"]),
        ("event: a.b, signal: {correlate: {a: b}, name: n}, correlate: {a: b}", ["conflicting-keys"]),
        ("event: a.b, signal: {correlate: a, name: n}", ["wrong-type"]),
        ("event: a.b, signal: {correlate: {}, name: n}", ["out-of-range"]),
        ("event: a.b, signal: {corelate: {a: b}, name: n}", ["unknown-key"]),
        ("event: a.b, start: {}, correlate: {a: b}", ["conflicting-keys"]),
        ("event: a.b, cancel: {key: k}, correlate: {a: b}", ["conflicting-keys"]),
        ("event: a.b, cancel: {}", ["missing-key"]),
        ("schedule: {timezone: UTC}", ["missing-key"]),
        ("schedule: {cron: '0 3 * * *'}, event: a.b", ["conflicting-keys"]),
        ("schedule: daily", ["wrong-type"]),
    ],
)
def test_each_mistake_in_a_trigger_has_its_code(trigger: str, codes: list[str]) -> None:
    """Triggers are checked; what this version does not carry out is refused by name."""
    found = findings(f"{HEAD}triggers: [{{{trigger}}}]\nsteps: [{{id: a, vars: {{}}}}]")
    assert [code for code, *_ in found] == codes


def test_unknown_key_is_corrected_and_read() -> None:
    """A slip is reported once, and what stands under it is still checked."""
    text = HEAD + "steps:\n  - id: a\n    action: b\n    timeuot: never\n"
    assert [(code, line) for code, line, *_ in findings(text)] == [("unknown-key", 6), ("bad-duration", 6)]
    assert findings(text)[0][2:] == ("an action step has no key 'timeuot'", "did you mean 'timeout'?")


def test_key_of_another_type_is_named_as_such() -> None:
    """A key that belongs elsewhere is said to."""
    ((code, _, message, hint),) = findings(HEAD + "steps: [{id: a, type: wait, for: 1s, quorum: 2}]")
    assert (code, message) == ("unknown-key", "a wait step has no key 'quorum'")
    assert hint == "it belongs to steps of type approval"


def test_all_mistakes_are_found_in_one_go() -> None:
    """One pass reports what is wrong in every part of the file, in its order."""
    text = textwrap.dedent(
        """\
        id: x
        version: one
        timeout: never
        triggers:
          - event: a.b
        steps:
          - id: a
            action: 5
          - id: b
            while: "true"
            steps:
              - {id: c, typo: 1}
          - just text
        """
    )
    assert sorted((line, code) for code, line, *_ in findings(text)) == [
        (2, "bad-version"),
        (3, "bad-duration"),
        (5, "missing-key"),
        (8, "wrong-type"),
        (9, "unbounded-loop"),
        (12, "unknown-key"),
        (12, "unknown-type"),
        (13, "wrong-type"),
    ]


@pytest.mark.parametrize("text", ["[1]", "just text", "5", "null"])
def test_file_that_is_no_mapping_has_no_definition(text: str) -> None:
    """Without a mapping there is nothing to go on with."""
    definition, diagnostics = parse(read_source("t.yaml", text))
    assert definition is None
    assert [each.code for each in diagnostics] == ["wrong-type"]


def test_too_many_steps_are_refused_before_they_are_checked() -> None:
    """A definition of thousands of steps is answered at once."""
    steps = "\n".join(f"  - {{id: s{number}, vars: {{}}}}" for number in range(2_001))
    definition, diagnostics = parse(read_source("t.yaml", f"{HEAD}steps:\n{steps}"))
    assert definition is None
    assert [(each.code, each.line) for each in diagnostics] == [("too-many-steps", 2_004)]


def test_steps_know_their_place() -> None:
    """A step inside a block has the pointer of its place and the line of its id."""
    text = HEAD + 'steps:\n  - id: p\n    branches:\n      "a/b":\n        - id: q\n          vars: {}\n'
    definition, _ = parse(read_source("t.yaml", text))
    assert definition is not None
    (fork,) = definition.steps
    inner = fork.branches[0].steps[0]  # type: ignore[union-attr]  # the step above is a parallel one
    assert inner.pointer == "/steps/0/branches/a~1b/0"
    assert (inner.id.at.line, inner.id.at.column) == (7, 15)


def test_every_step_type_has_a_parser() -> None:
    """The vocabulary and the parsers speak of the same types."""
    assert set(STEPS) == set(PARSERS)


def test_id_that_is_too_long_is_refused() -> None:
    """Ids become parts of paths and workflow types, for which Temporal has limits."""
    assert [code for code, *_ in findings(HEAD + f"steps: [{{id: {'a' * 100}, vars: {{}}}}]")] == []
    assert [code for code, *_ in findings(HEAD + f"steps: [{{id: {'a' * 101}, vars: {{}}}}]")] == ["bad-id"]


@pytest.mark.parametrize("error", ["broken", "5", "[a]"])
def test_problem_that_is_none_is_refused(error: str) -> None:
    """`fail` takes a mapping, or an expression that gives one."""
    assert [code for code, *_ in findings(HEAD + f"steps: [{{id: a, type: fail, error: {error}}}]")] == ["wrong-type"]
    assert findings(HEAD + "steps: [{id: a, type: fail, error: '${ input.e }'}]") == []
