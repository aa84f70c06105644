"""The structured logs of a process.

One JSON object a line for machines, or coloured text for a person at a terminal; the fields bound once (which worker,
which run and step) are on every line, the libraries' lines included. Never log payloads or secrets: a traceback is
therefore plain, without the values of local variables. The AMQP libraries' own words about a lost connection are left
out, because the bridge says the same in one line.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog
from temporalio import activity, workflow

LogFormat = Literal["json", "text"]

_TOO_TALKATIVE = ("aio_pika", "aiormq")


def configure_logging(style: LogFormat, level: int = logging.INFO, stream: TextIO | None = None, **bound: str) -> None:
    """Write the logs of this process, the libraries' included, to `stream` (default: standard error).

    Args:
        style: `json` for machines, `text` for people.
        level: The lowest level that is written.
        stream: Where to.
        bound: Fields on every line, such as the process's role.
    """
    target = stream or sys.stderr
    renderers = _renderers(style, colours=target.isatty())
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _TOO_TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    # The ids are fields of the line already.
    activity.logger.activity_info_on_message = workflow.logger.workflow_info_on_message = False
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**bound)


def _renderers(style: LogFormat, *, colours: bool) -> tuple[structlog.typing.Processor, ...]:
    if style == "text":
        return (structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback),)
    return structlog.processors.format_exc_info, structlog.processors.JSONRenderer(sort_keys=True)


def _with_ids(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add which run and step the line is about, where it was written in one."""
    if workflow.in_workflow():
        about = workflow.info()
        line.setdefault("workflow_id", about.workflow_id)
        line.setdefault("run_id", about.run_id)
    elif activity.in_activity():
        task = activity.info()
        line.setdefault("workflow_id", task.workflow_id)
        line.setdefault("run_id", task.workflow_run_id)
        line.setdefault("step", task.activity_id)
        line.setdefault("attempt", task.attempt)
    return line


_SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    _with_ids,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
