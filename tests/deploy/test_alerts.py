"""The alert rules: Prometheus's own tool checks and runs them, and their metrics are those that the product exports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.depths import QueueDepth
from bridge.metrics import OUTCOMES, PUBLISH_FAILURES, Metrics
from cli.metrics import serving_metrics
from cli.stack.ports import LOOPBACK, choose_port
from workers.changes import RunEnded, RunStarted, StepEnded
from workers.metrics import RunMetrics, show_projection
from workflows.engine.state import State

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES, SCENARIOS, CONFIG = DEPLOY / "alerts.yaml", DEPLOY / "alerts.test.yaml", DEPLOY / "prometheus.yml"
DASHBOARD = DEPLOY / "grafana-dashboard.json"
OF_PROMETHEUS = {"up"}
_METRIC = re.compile(r"\b(?:saga_[a-z0-9_]+|up)\b")
_TEXT = re.compile(r'"[^"]*"|\b(?:by|without) *\([^)]*\)|\{[^}]*\}')


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool: the one beside this Python, where the bootstrap puts it, or the system's."""
    beside = Path(sys.executable).with_name("promtool")
    program = str(beside) if beside.is_file() else shutil.which("promtool")
    assert program is not None, "promtool is missing: deploy/bootstrap test installs it"
    return subprocess.run(  # noqa: S603  # arguments of ours
        [program, *arguments], capture_output=True, text=True, check=False
    )


def rules() -> list[dict[str, Any]]:
    """Return all rules."""
    document = yaml.safe_load(RULES.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def metrics_in(expression: str) -> set[str]:
    """Return the names of the metrics in an expression, without label names and values."""
    return set(_METRIC.findall(_TEXT.sub("", expression)))


@pytest.fixture(scope="module")
def exported() -> set[str]:
    """The names that a scrape of the endpoint shows once every instrument was touched."""
    port = choose_port()
    with serving_metrics(LOOPBACK, port) as metrics:
        touch_everything(metrics)
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/metrics") as answer:  # our own endpoint
            text = answer.read().decode()
    return {re.split(r"[{ ]", line)[0] for line in text.splitlines() if not line.startswith("#")}


def touch_everything(metrics: Metrics) -> None:
    """Let each instrument have a value."""
    metrics.published("a")
    metrics.consumed("a")
    metrics.dead_lettered("x")
    metrics.internal_error("bug")
    for outcome in OUTCOMES:
        metrics.handled("a", outcome)
    for why in PUBLISH_FAILURES:
        metrics.publish_failed(why)
    metrics.dispatched_after(timedelta(seconds=1))
    metrics.watch_breaker("temporal", lambda: "closed")
    metrics.watch_lag(timedelta)
    metrics.watch_in_hand(int)
    metrics.watch_open_dead_letters(int)
    metrics.watch_outbox(int, timedelta)
    metrics.watch_bridges(int)
    metrics.watch_queues(lambda: [QueueDepth("q", 1, 1)])
    touch_runs(RunMetrics(metrics.meter))
    show_projection(metrics.meter, lambda: 3, lambda: 2, lambda: 1)


def touch_runs(metrics: RunMetrics) -> None:
    """Let each instrument of runs have a value."""
    state = State("d", "1.0.0", "digest")
    for change in (RunStarted(), RunEnded("completed", timedelta(1)), StepEnded("s", "completed", timedelta(1), "")):
        metrics.changed(1, state, change)
    metrics.lifecycle_written(1)
    metrics.watch_open_runs(one)
    metrics.watch_approvals(one, one)
    metrics.watch_stuck(one)
    metrics.watch_schedule_misses(one)


def one() -> list[tuple[float, dict[str, str]]]:
    """Return one reading."""
    return [(1, {"definition": "d"})]


@pytest.mark.integration
@pytest.mark.parametrize("command", [("check", "rules", RULES), ("check", "config", CONFIG)], ids=lambda it: it[1])
def test_files_are_what_prometheus_reads(command: tuple[str, str, Path]) -> None:
    """Rules, and the configuration that names them."""
    *words, file = command
    checked = promtool(*words, str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.integration
def test_scenarios_fire_the_alerts_that_they_should() -> None:
    """Each with its labels and its sentence, and not before its time."""
    tested = promtool("test", "rules", str(SCENARIOS))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_each_alert_has_a_scenario_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    """A rule without both proves nothing."""
    scenarios = [each for test in yaml.safe_load(SCENARIOS.read_text())["tests"] for each in test["alert_rule_test"]]
    fired = {each["alertname"] for each in scenarios if each["exp_alerts"]}
    silent = {each["alertname"] for each in scenarios if not each["exp_alerts"]}
    assert fired == silent == {rule["alert"] for rule in rules()}


@pytest.mark.integration
def test_a_broken_scenario_is_noticed(tmp_path: Path) -> None:
    """The tool's verdict counts: with another threshold in the rule, the scenarios fail."""
    (tmp_path / RULES.name).write_text(RULES.read_text().replace("saga_events_lag_seconds) > 60", "up) > 60"))
    (tmp_path / SCENARIOS.name).write_text(SCENARIOS.read_text())
    assert promtool("test", "rules", str(tmp_path / SCENARIOS.name)).returncode != 0


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_metrics_of_an_alert_are_exported(rule: dict[str, Any], exported: set[str]) -> None:
    """A rule on a name that nobody exports would be silent for ever."""
    names = metrics_in(rule["expr"])
    assert names
    assert names <= exported | OF_PROMETHEUS


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_alert_says_what_is_and_what_to_do(rule: dict[str, Any]) -> None:
    """Who is woken reads both."""
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "description"}


def test_names_are_those_that_dashboards_rely_on(exported: set[str]) -> None:
    """The names are an interface: a changed one is a breaking change."""
    ours = {name for name in exported if name.startswith("saga_") and not name.endswith(("_bucket", "_sum"))}
    assert ours == {
        "saga_approvals_oldest_seconds",
        "saga_approvals_waiting",
        "saga_breaker_state",
        "saga_bridges_alive",
        "saga_dead_letters_open",
        "saga_dead_letters_total",
        "saga_dispatch_duration_seconds_count",
        "saga_events_conflicts_total",
        "saga_events_consumed_total",
        "saga_events_handled_total",
        "saga_events_in_hand",
        "saga_events_lag_seconds",
        "saga_events_published_total",
        "saga_events_unknown_replays_total",
        "saga_internal_errors_total",
        "saga_lifecycle_dropped_total",
        "saga_lifecycle_written_total",
        "saga_messages_refused_total",
        "saga_outbox_age_seconds",
        "saga_outbox_depth",
        "saga_projection_dropped_total",
        "saga_projection_waiting",
        "saga_projection_written_total",
        "saga_publish_failures_total",
        "saga_queue_consumers",
        "saga_queue_depth",
        "saga_run_duration_seconds_count",
        "saga_runs_ended_total",
        "saga_runs_open",
        "saga_runs_started_total",
        "saga_runs_stuck",
        "saga_schedule_misses_total",
        "saga_sla_breaches_total",
        "saga_step_duration_seconds_count",
        "saga_steps_ended_total",
    }


def panels() -> list[dict[str, Any]]:
    """Return the panels of the dashboard that show something."""
    document = json.loads(DASHBOARD.read_text())
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def expressions() -> list[tuple[str, str]]:
    """Return the title of each panel with its expressions, and those of the variables."""
    variables = json.loads(DASHBOARD.read_text())["templating"]["list"]
    asked = [(variable["name"], variable["query"]) for variable in variables if variable["type"] == "query"]
    return [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]] + asked


@pytest.mark.parametrize(("title", "expression"), expressions())
def test_metrics_of_the_dashboard_are_exported(title: str, expression: str, exported: set[str]) -> None:
    """A panel on a name that nobody exports would be empty for ever."""
    names = metrics_in(expression)
    assert names, title
    assert names <= exported | OF_PROMETHEUS


@pytest.mark.integration
def test_expressions_of_the_dashboard_are_what_prometheus_reads(tmp_path: Path) -> None:
    """Its own tool parses all of them, with Grafana's variables filled in."""
    groups = [
        {"name": f"g{number}", "rules": [{"record": "x", "expr": filled_in(expression)}]}
        for number, (_, expression) in enumerate(expressions())
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": groups}))
    checked = promtool("check", "rules", "--lint=none", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def filled_in(expression: str) -> str:
    """Return an expression of Grafana as Prometheus gets it."""
    for name, value in (("$__rate_interval", "5m"), ("$__range", "1h"), ("$definition", ".*")):
        expression = expression.replace(name, value)
    return re.sub(r"^label_values\((\w+),.*$", r"\1", expression)


def test_dashboard_is_one_that_grafana_can_lay_out() -> None:
    """Ids are there once, no panel lies upon another, and each has its unit and its words."""
    document = json.loads(DASHBOARD.read_text())
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in document["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    for panel in panels():
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
