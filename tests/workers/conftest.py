"""A scrape of a worker's instruments for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.workers.scraping import Scrape


@pytest.fixture
def scrape() -> Iterator[Scrape]:
    """Instruments that nobody has touched yet."""
    made = Scrape()
    yield made
    made.provider.shutdown()
