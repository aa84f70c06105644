"""`saga` without its imports: a process that has loaded every command, and carries each call out in a copy of itself.

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
import selectors
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

import cli.commands
from cli.main import main
from tests.support.processes import die_with_parent

LONGEST_REQUEST = 100_000
"""Bytes; a longer one needs a process of its own."""

_LOADED_LATE = (
    "temporalio.worker",
    "temporalio.envconfig",
    "aio_pika",
    "asyncpg",
    "httpx",
    "jsonschema_rs",
    "rich.live",
)
_READ_AT_START = ("LANG", "LC_", "PYTHON")
_FILES = 4


def can_carry_out(request: bytes, environment: Mapping[str, str]) -> bool:
    """Tell whether a copy behaves as a fresh process does: not where an interpreter is told something at its start."""
    told = (name for name in environment if name.startswith(_READ_AT_START) and name != "PYTHONPATH")
    return len(request) <= LONGEST_REQUEST and next(told, None) is None


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
                child = os.fork()
                if child == 0:
                    _carry_out(json.loads(message), files)
                handle = os.pidfd_open(child)
                running[handle] = child, files.pop()
                os.write(running[handle][1], f"{child}\n".encode())
                for file in files:
                    os.close(file)
                selector.register(handle, selectors.EVENT_READ)


def _report(handle: int, child: int, answer: int) -> None:
    _, status = os.waitpid(child, 0)
    with suppress(BrokenPipeError):  # the caller has gone away
        os.write(answer, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os.close(answer)
    os.close(handle)


def _carry_out(request: Mapping[str, Any], files: list[int]) -> NoReturn:
    """Become the process of one call; it leaves by `os._exit`, as `saga` always does."""
    die_with_parent()
    for stream, file in enumerate(files[:3]):
        os.dup2(file, stream)
    os.closerange(3, max(files) + 1)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["saga", *request["arguments"]]
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process lives
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    main()


def load() -> None:
    """Import every command and what commands import late; the collector is to touch none of it in the copies."""
    for module in pkgutil.walk_packages(cli.commands.__path__, "cli.commands."):
        importlib.import_module(module.name)
    for name in _LOADED_LATE:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    die_with_parent()
    load()
    # A copy has only the thread that made it: with more, locks of others might be held for ever.
    assert len(os.listdir("/proc/self/task")) == 1, "something that was imported has started a thread"  # noqa: PTH208
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        serve(listening)
