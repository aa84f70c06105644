"""The page about analytics: its statements run, and it names the views' columns rightly."""

from __future__ import annotations

import pytest

from store.database import open_database
from tests.docs.pages import Example, examples

STATEMENTS = [example for example in examples("sql") if example.page.endswith("analytics.md")]


@pytest.mark.parametrize("example", [each for each in STATEMENTS if each.text.startswith("select")], ids=str)
async def test_statements_can_be_carried_out(example: Example, postgres_url: str) -> None:
    """Each query is one that PostgreSQL takes."""
    async with open_database(postgres_url) as database:
        assert await database.fetch(example.text) == []


def test_page_has_statements() -> None:
    """They are found."""
    assert len(STATEMENTS) == 3
