"""A process that has loaded the product, and carries each call out in a copy of itself; `copies` is its client.

Loading Temporal's client, pydantic and the rest takes a second of a processor's time, which is nearly all that most
commands take. A call in the tests' own process would save it too, but the environment, the working folder and the
standard streams belong to a whole process, and in that one workers and event loops run. A copy has them to itself: the
call reads its own environment, writes to real pipes and leaves by its own exit code, exactly as a fresh process does.

Run as `python -m tests.support.fork_server FD`, where FD is a `SOCK_SEQPACKET` socket. A request is one message: a JSON
document, with the files for the standard streams and for the answer. The answer is the copy's process id on a line, and
at its end the exit code (as `subprocess` has it, negative for a signal) on another.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import posix
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

from coverage import Coverage

import cli.commands
from tests.support.processes import MEASURING, die_with_parent

LONGEST_REQUEST = 100_000
"""Bytes."""

_LOADED_LATE = (
    "temporalio.worker",
    "temporalio.envconfig",
    "aio_pika",
    "asyncpg",
    "httpx",
    "jsonschema_rs",
    "rich.live",
)
_FILES = 4


def serve(control: socket.socket) -> None:
    """Carry out calls until the other end is closed."""
    running: dict[int, tuple[int, int]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for ready, _ in selector.select():
                if ready.fileobj is not control:
                    handle = ready.fd
                    selector.unregister(handle)
                    _report(handle, *running.pop(handle))
                    continue
                message, files, _, _ = socket.recv_fds(control, LONGEST_REQUEST, _FILES)
                if not message:
                    return
                request = json.loads(message)
                load(request["module"])
                child = os.fork()
                if child == 0:
                    _carry_out(request, files)
                handle = os.pidfd_open(child)
                running[handle] = child, files.pop()
                os.write(running[handle][1], f"{child}\n".encode())
                for file in files:
                    os.close(file)
                selector.register(handle, selectors.EVENT_READ)


def load(*modules: str) -> None:
    """Import modules; the collector is to touch nothing of them in the copies."""
    if all(module in sys.modules for module in modules):
        return
    for module in modules:
        importlib.import_module(module)
    # A copy has only the thread that made it: with more, locks of others might be held for ever.
    assert len(os.listdir("/proc/self/task")) == 1, "something that was imported has started a thread"  # noqa: PTH208
    gc.collect()
    gc.freeze()


def _report(handle: int, child: int, answer: int) -> None:
    _, status = os.waitpid(child, 0)
    with suppress(BrokenPipeError):  # the caller has gone away
        os.write(answer, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os.close(answer)
    os.close(handle)


def _carry_out(request: Mapping[str, Any], files: list[int]) -> NoReturn:
    """Become the process of one call."""
    die_with_parent()
    for stream, file in enumerate(files[:3]):
        os.dup2(file, stream)
    os.closerange(3, max(files) + 1)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [request["module"], *request["arguments"]]
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process lives
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    _measure()
    try:
        sys.modules[request["module"]].main()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


_of_coverage: dict[str, Any] = {}


def _rest() -> None:
    """Keep what coverage has counted of the imports, and let it rest: each copy counts for itself."""
    coverage = Coverage.current()
    if coverage is None:
        return
    coverage.stop()
    coverage.save()
    os._exit = posix._exit  # in coverage's stead: it would save the same again when a copy ends
    _of_coverage.update(
        data_file=coverage.config.data_file,
        branch=coverage.config.branch,
        include=[f"{folder}/*" for folder in coverage.config.source or ()],
    )


def _measure() -> None:
    """Measure this copy, where its caller is measured.

    Coverage's own patch for `fork` saves once more what the original counted and looks through all sources for files
    that were not reached: ten times the work of most calls.
    """
    if not _of_coverage or not any(name.startswith(MEASURING) for name in os.environ):
        return
    coverage = Coverage(config_file=False, data_suffix=True, **_of_coverage)
    coverage.start()

    def leave(status: int) -> NoReturn:
        coverage.stop()
        coverage.save()
        posix._exit(status)

    os._exit = leave


if __name__ == "__main__":
    die_with_parent()
    load(*(module.name for module in pkgutil.walk_packages(cli.commands.__path__, "cli.commands.")), *_LOADED_LATE)
    load("cli.main")
    _rest()
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        serve(listening)
