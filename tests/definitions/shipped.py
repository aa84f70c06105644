"""The definitions that ship, compiled as the command line does it."""

from __future__ import annotations

from pathlib import Path

from activities.registry import catalog
from workflows.language.compiler import Compilation, compile_sources
from workflows.language.library import Library

FOLDER = Path(__file__).parents[2] / "definitions"
SEED = Path(__file__).with_name("seed.json")
FILES = sorted(FOLDER.glob("*/*.yaml"))


def compiled(*files: Path) -> Compilation:
    """Compile files against the actions there are."""
    return compile_sources({str(file): file.read_bytes() for file in files}, catalog())


def shipped() -> Library:
    """Return the library of everything that ships."""
    library = compiled(*FILES).library
    assert library is not None
    return library
