"""The alert rules: Prometheus's own tool checks and runs them, and their metrics are those that the product exports."""

from __future__ import annotations

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

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES, SCENARIOS, CONFIG = DEPLOY / "alerts.yaml", DEPLOY / "alerts.test.yaml", DEPLOY / "prometheus.yml"
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


@pytest.mark.parametrize("command", [("check", "rules", RULES), ("check", "config", CONFIG)], ids=lambda it: it[1])
def test_files_are_what_prometheus_reads(command: tuple[str, str, Path]) -> None:
    """Rules, and the configuration that names them."""
    *words, file = command
    checked = promtool(*words, str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr


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
        "saga_outbox_age_seconds",
        "saga_outbox_depth",
        "saga_publish_failures_total",
        "saga_queue_consumers",
        "saga_queue_depth",
    }
