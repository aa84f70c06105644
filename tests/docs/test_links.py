"""The pages hang together: links lead somewhere, lines fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import OTHERS, PAGES, anchors, links

LINKING = (*PAGES, *OTHERS)
WIDEST = 120


@pytest.mark.parametrize("page", LINKING, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    """Each relative link names a file that exists, and a heading in it."""
    for link in links(page):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name == "docs"], ids=lambda page: page.name)
def test_lines_fit(page: Path) -> None:
    """No line but the row of a table is wider than the code."""
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > WIDEST and not line.startswith("|")] == []
