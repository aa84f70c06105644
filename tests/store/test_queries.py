"""Named blocks of SQL."""

from __future__ import annotations

import pytest

from store.queries import load, named_blocks


def test_named_blocks_splits_at_headings() -> None:
    """Each block has its name; the text before the first is a comment."""
    blocks = named_blocks("About.\n\n-- name: one\nselect 1\n\n-- name: two\nselect 2;\n")
    assert blocks == {"one": "select 1", "two": "select 2;"}


def test_named_blocks_refuses_a_repeated_name() -> None:
    """Two blocks of one name would hide one another."""
    with pytest.raises(ValueError, match="one name"):
        named_blocks("-- name: one\nselect 1\n-- name: one\nselect 2\n")


def test_load_reads_a_shipped_file() -> None:
    """The files lie beside the code, also in an installed package."""
    assert load("deployments")["digest"].startswith("select digest")
