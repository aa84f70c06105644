"""docs/actions.md is what the registry says."""

from __future__ import annotations

from tests.docs.pages import text_of
from tests.docs.write_actions import page


def test_page_of_actions_is_up_to_date() -> None:
    """If not, `python -m tests.docs.write_actions` writes it anew."""
    assert text_of("actions.md") == page()
