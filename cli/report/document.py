"""The report as JSON, for scripts: the figures as they are, times in seconds, shares from 0 to 1."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from cli.report.comparison import Comparison
from contracts.json import Json
from store.critical_path import CriticalPath, Stop
from store.report_figures import Report, StepTimes, VersionReport

Document = dict[str, Json]


def document(report: Report, comparison: Comparison | None) -> Document:
    """Return what `--json` prints."""
    found: Document = {
        "since": report.selection.since.isoformat(),
        "made_at": report.made_at.isoformat(),
        "versions": [_version(version) for version in report.versions],
    }
    return found if comparison is None else {**found, "comparison": _comparison(comparison)}


def _version(version: VersionReport) -> Document:
    times = version.durations
    return {
        "definition": version.definition,
        "version": version.version,
        "runs": version.runs,
        "ended": version.ended,
        "succeeded": version.succeeded,
        "success_rate": version.success_rate,
        "outcomes": dict(version.outcomes),
        "duration_seconds": None if times is None else cast("Json", asdict(times)),
        "retries": version.retries,
        "actions_per_run": version.actions_per_run,
        "steps": [_step(step) for step in version.steps],
        "critical_path": _path(version.path),
        "failures": [cast("Json", asdict(failure)) for failure in version.failures],
    }


def _step(step: StepTimes) -> Document:
    return {
        "step": step.step,
        "kind": step.kind,
        "is_compensation": step.is_compensation,
        "is_block": step.is_block,
        "ended": step.ended,
        "retries": step.retries,
        "mean_seconds": step.mean,
        "longest_seconds": step.longest,
        "total_seconds": step.total,
        "queueing_seconds": step.queueing,
        "running_seconds": step.running,
        "retrying_seconds": step.retrying,
        "people_seconds": step.people,
        "events_seconds": step.events,
        "handover_seconds": step.handover,
    }


def _path(path: CriticalPath) -> Document:
    bottleneck = path.bottleneck
    return {
        "runs": path.runs,
        "total_seconds": path.seconds,
        "between_seconds": path.between,
        "bottleneck": None if bottleneck is None else bottleneck.step,
        "stops": [_stop(stop) for stop in path.stops],
    }


def _stop(stop: Stop) -> Document:
    return {
        "step": stop.step,
        "is_compensation": stop.is_compensation,
        "runs": stop.runs,
        "led": stop.led,
        "seconds": stop.seconds,
        "share": stop.share,
    }


def _comparison(comparison: Comparison) -> Document:
    return {
        "before": comparison.before.version,
        "after": comparison.after.version,
        "whole": [cast("Json", asdict(line)) for line in comparison.whole],
        "steps": [cast("Json", asdict(line)) for line in comparison.steps],
    }
