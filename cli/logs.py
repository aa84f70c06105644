"""Logging: `saga up` writes a file, `saga worker` and `saga bridge` write to stderr, other commands nothing.

structlog and the standard library's logging (which Temporal's SDK uses) end in one place and one form.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import structlog
from structlog.typing import Processor

from cli.settings import Settings

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def log_to_file(settings: Settings, folder: Path) -> Path:
    """Write log entries as JSON lines to `logs/saga.log` in a state folder, and return that file."""
    file = folder / "logs" / "saga.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    _configure(settings, logging.FileHandler(file, encoding="utf-8"), structlog.processors.JSONRenderer())
    return file


def log_to_stderr(settings: Settings) -> None:
    """Write log entries to stderr, in the form of the settings."""
    is_console = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if is_console else structlog.processors.JSONRenderer()
    _configure(settings, logging.StreamHandler(sys.stderr), renderer)


def log_nothing() -> None:
    """Keep log entries from a command's output; what matters there comes as an error or a result."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger().addHandler(logging.NullHandler())


def _configure(settings: Settings, handler: logging.Handler, renderer: Processor) -> None:
    last = (
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        renderer,
    )
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_SHARED, processors=last))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
