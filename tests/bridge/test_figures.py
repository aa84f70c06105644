"""Figures of the store, kept in memory for the scraper."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from bridge.figures import LatestFigures
from bridge.metrics import METER, Metrics
from cli.stack.ports import LOOPBACK
from store.bridges import beat
from store.database import open_database
from tests.support.proxy import Proxy, proxy
from tests.support.waiting import eventually

OFTEN = timedelta(milliseconds=20)


def _shown(reader: InMemoryMetricReader) -> set[str]:
    data = reader.get_metrics_data()
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
    return {metric.name for scope in scopes for metric in scope.metrics if metric.name.endswith(_NAMES)}


@asynccontextmanager
async def _proxied(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    parts = urlsplit(url)
    async with proxy(parts.hostname or LOOPBACK, parts.port or 5432) as line:
        account, _, _ = parts.netloc.rpartition("@")
        yield line, urlunsplit(parts._replace(netloc=f"{account}@{LOOPBACK}:{line.port}"))


_NAMES = (".lag", ".open", ".depth", ".age", ".alive")


async def test_figures_are_shown_while_they_are_known(postgres_url: str) -> None:
    """A database that is away leaves no numbers, rather than old ones."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    async with _proxied(postgres_url) as (line, url), open_database(url) as database:
        figures = LatestFigures(database)
        figures.show_on(Metrics(provider.get_meter(METER)))
        assert _shown(reader) == set()
        await figures.sample()
        assert _shown(reader) == {
            "saga.events.lag",
            "saga.dead_letters.open",
            "saga.outbox.depth",
            "saga.outbox.age",
            "saga.bridges.alive",
        }
        line.cut()
        await figures.sample()
        assert figures.latest is None
        assert _shown(reader) == set()
    provider.shutdown()


async def test_figures_follow_what_changes(postgres_url: str) -> None:
    """A bridge that comes is counted soon; the loop ends when it is stopped."""
    stop = asyncio.Event()
    async with open_database(postgres_url) as database:
        figures = LatestFigures(database)
        running = asyncio.create_task(figures.run(stop, OFTEN))
        await beat(database, uuid.uuid4(), "host", os.getpid(), True, {})

        async def counted() -> bool:
            return figures.latest is not None and figures.latest.bridges == 1

        await eventually(counted)
        stop.set()
        await running
