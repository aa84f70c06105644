"""docs/monitoring.md has every metric and every alert, as they are exported and fired."""

from __future__ import annotations

import re
import urllib.request

import yaml

from bridge.metrics import MOST_EVENT_TYPES, PUBLISH_FAILURES
from cli.metrics import serving_metrics
from cli.stack.ports import LOOPBACK, choose_port
from tests.deploy.test_alerts import rules, touch_everything
from tests.docs.pages import ROOT, first_cells, inline_code, section, table_rows, text_of

OF_RUNS = frozenset({"language.md", "actions.md"})
"""Their `saga_...` are names of the language's own."""


def exported() -> dict[str, str]:
    """Return name and type of each metric of ours, as Prometheus sees them."""
    port = choose_port()
    with serving_metrics(LOOPBACK, port) as metrics:
        touch_everything(metrics)
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/metrics") as answer:  # our own endpoint
            text = answer.read().decode()
    return dict(re.findall(r"^# TYPE (saga_\w+) (\w+)$", text, re.MULTILINE))


def test_metrics_are_those_that_are_exported() -> None:
    """Name and type of each metric stand in the table, and no other."""
    rows = table_rows(section("monitoring.md", "Metrics"))
    listed = {name: row[1] for row in rows for name in re.findall(r"`(saga_\w+)`", row[0])}
    assert listed == exported()


def test_metrics_that_other_pages_name_are_exported() -> None:
    """Wherever a metric is named, it is one that there is."""
    pages = {page: codes for page, codes in inline_code().items() if page not in OF_RUNS}
    named = {code for codes in pages.values() for code in codes if re.fullmatch(r"saga_[a-z_]+", code)}
    assert len(named) > len(exported()) // 2
    assert named - set(exported()) == set()


def test_reasons_of_failed_publishes_are_those_that_are_counted() -> None:
    """The values of the label stand in the table."""
    [row] = [row for row in table_rows(section("monitoring.md", "Metrics")) if "saga_publish_failures" in row[0]]
    assert re.findall(r"`(\w+)`", row[2])[1:] == list(PUBLISH_FAILURES)
    assert f"The first {MOST_EVENT_TYPES} event types" in text_of("monitoring.md")


def test_alerts_are_those_of_the_rules() -> None:
    """Name and severity of each alert stand in the table, in the order of the rules."""
    rows = [(row[0].strip("`"), row[-1]) for row in table_rows(section("monitoring.md", "Alerts"))]
    assert rows == [(rule["alert"], rule["labels"]["severity"]) for rule in rules()]


def test_files_for_prometheus_are_there() -> None:
    """The page names files of `deploy/`."""
    named = set(re.findall(r"deploy/[\w.-]+\w", text_of("monitoring.md")))
    assert {"deploy/alerts.yaml", "deploy/prometheus.yml"} <= named
    assert [name for name in named if not (ROOT / name).is_file()] == []
    assert first_cells(section("monitoring.md", "Alerts"))
    assert yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["rule_files"] == ["alerts.yaml"]
