"""`saga`: the entry point, the only place that turns errors into exit codes, and the only way out.

The process ends by `os._exit` once everything is closed and flushed: the Temporal SDK's native threads sometimes
abort a Python interpreter that shuts down in the ordinary way. No traceback reaches a user: what nobody foresaw is
one line here and the details in a log file.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from cli.exits import Exit, ReportedError
from cli.group import PACKAGE, CommandGroup
from cli.menu import SECTIONS
from contracts.errors import PermanentError, SagaError, ServiceUnreachableError

_EPILOG = """\b
Start here:
  saga demo                     a guided tour on real services
  saga up                       everything on this machine, until Ctrl-C
  saga validate definitions/    check definitions; starts nothing

\b
Exit codes: 0 ok, 1 the run failed, 2 bad input, 3 a service cannot be reached."""

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
_ABOUT_A_SERVICE = frozenset({"missing-service", "service-failed"})


@click.group(cls=CommandGroup, package=PACKAGE, sections=SECTIONS, epilog=_EPILOG, context_settings=_CONTEXT)
@click.version_option(package_name="sagawright", prog_name="saga")
def saga() -> None:
    """Run YAML workflow definitions as durable Temporal workflows."""


def main() -> NoReturn:
    """Run the command line, flush, and leave."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a sign gets a question mark, not a crash.
            stream.reconfigure(errors="replace")
    os._exit(_flushed(run(sys.argv[1:])))


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line and return its exit code; every error becomes a plain message on stderr."""
    try:
        result = saga.main(list(arguments), prog_name="saga", standalone_mode=False)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except click.ClickException as error:
        error.show()
        return Exit.BAD_INPUT
    except (click.Abort, KeyboardInterrupt):
        return _told("Interrupted.", Exit.INTERRUPTED)
    # The boundary of the process: nothing may pass it unexplained.
    except Exception as error:
        return _explain(error)
    return result if isinstance(result, int) else Exit.OK


def _explain(error: Exception) -> int:
    match error:
        case ReportedError():
            return error.exit
        case ServiceUnreachableError():
            return _failed(f"{error.service} does not answer at {error.address}: {error.cure}.", Exit.UNREACHABLE)
        case SagaError():
            return _failed(str(error), _code_of(error))
        case ExceptionGroup():
            return _explain(error.exceptions[0])
    return _log_unexpected(error)


def _failed(message: str, code: Exit) -> int:
    return _told(f"{click.style('Error:', fg='red', bold=True)} {message}", code)


def _code_of(error: SagaError) -> Exit:
    is_input = isinstance(error, PermanentError) and error.code not in _ABOUT_A_SERVICE
    return Exit.BAD_INPUT if is_input else Exit.UNREACHABLE


def _log_unexpected(error: Exception) -> int:
    log = _log_file()
    with log.open("a") as file:
        file.writelines(traceback.format_exception(error))
    summary = str(error).partition("\n")[0] or type(error).__name__
    heading = click.style("Unexpected error:", fg="red", bold=True)
    return _told(f"{heading} {summary[:300]} (details: {log})", Exit.UNEXPECTED)


def _log_file() -> Path:
    for folder in (Path(os.environ.get("SAGA_STATE_DIR") or ".saga"), Path.home() / ".saga"):
        log = folder / "logs" / "saga.log"
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.touch()
        except OSError:
            continue
        return log
    return Path(os.devnull)


def _told(message: str, code: Exit) -> Exit:
    try:
        click.echo(message, err=True)
    except OSError:
        return Exit.BROKEN_PIPE
    return code


def _flushed(code: int) -> int:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            code = Exit.BROKEN_PIPE
        except (OSError, ValueError):
            code = code or Exit.UNEXPECTED
    return code


if __name__ == "__main__":
    main()
