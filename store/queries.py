"""SQL as named blocks in files.

A file under `store/queries/` holds blocks that begin with `-- name: insert_agent`. They are read once, at import, and
typed as `LiteralString`: the type checker refuses SQL that was put together from data at run time, and this is the
one place where text is declared to be literal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import LiteralString

_HEADING = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


def load(file: LiteralString) -> Mapping[str, LiteralString]:
    """Return the blocks of `store/queries/<file>.sql` by name."""
    text = resources.files("store").joinpath("queries", f"{file}.sql").read_text(encoding="utf-8")
    return named_blocks(text)


def named_blocks(text: str) -> Mapping[str, LiteralString]:
    """Split `text` at its headings; what comes before the first heading is a comment.

    Raises:
        ValueError: Two blocks have one name.
    """
    _, *parts = _HEADING.split(text)
    names, blocks = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"two blocks have one name: {sorted(names)}")
    return {name: block.strip() for name, block in zip(names, blocks, strict=True)}
