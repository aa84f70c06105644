"""A worker's instruments, read by a reader in memory."""

from __future__ import annotations

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint

from workers.metrics import RunMetrics

Labels = tuple[str, ...]


class Scrape:
    """A provider of the test's own, and what a reader finds there."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.metrics = RunMetrics(self.provider.get_meter("test"))

    def values(self, name: str, *labels: str) -> dict[Labels, float]:
        """Return the numbers of an instrument by some labels, added up over the others; of a histogram its counts."""
        found: dict[Labels, float] = {}
        for point in self._points(name):
            key = tuple(str((point.attributes or {})[label]) for label in labels)
            value = point.count if isinstance(point, HistogramDataPoint) else point.value
            found[key] = found.get(key, 0) + value
        return found

    def total(self, name: str) -> float:
        """Return the sum of what a histogram recorded."""
        return sum(point.sum for point in self._points(name) if isinstance(point, HistogramDataPoint))

    def _points(self, name: str) -> list[HistogramDataPoint | NumberDataPoint]:
        data = self._reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        points = [
            point
            for scope in scopes
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]
        return [point for point in points if isinstance(point, HistogramDataPoint | NumberDataPoint)]
