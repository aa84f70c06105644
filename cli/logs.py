"""Where logs go: `saga up` writes a file, `saga worker` and `saga bridge` write to stderr, other commands nothing.

How lines look and what is on them is `workers.telemetry`'s.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import structlog

from cli.settings import Settings
from cli.stack.folder import StateFolder
from workers.telemetry import configure_logging


def log_to_file(settings: Settings, folder: Path) -> Path:
    """Write log entries as JSON lines to `logs/saga.log` in a state folder, and return that file.

    Raises:
        UnusableStateFolderError: The folder cannot be made or written.
    """
    file = StateFolder.at(folder).log("saga")
    # It stays open as long as the process lives.
    configure_logging("json", _level(settings), file.open("a", encoding="utf-8"))
    return file


def log_to_stderr(settings: Settings) -> None:
    """Write log entries to stderr, in the form of the settings."""
    is_console = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    configure_logging("text" if is_console else "json", _level(settings), sys.stderr)


def log_nothing() -> None:
    """Keep log entries from a command's output; what matters there comes as an error or a result."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger().addHandler(logging.NullHandler())


def _level(settings: Settings) -> int:
    return logging.getLevelNamesMapping()[settings.log_level.upper()]
