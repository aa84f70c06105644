"""What the commands of `saga dlq` share: which letters are meant, and how a letter looks."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import click

from bridge.retry import AT_ONCE
from cli import connections
from cli.exits import BadInputError
from cli.logs import log_nothing
from cli.output import when
from cli.settings import Settings
from contracts.json import Json
from store.database import Database, open_database
from store.dead_letters import Selection, State, StoredLetter, count, get, last_id, of_ids, page, states

F = TypeVar("F", bound=Callable[..., Any])
_AT_ONCE_BY_ID = 50


@dataclass(frozen=True)
class Which:
    """The letters that a command line means: some by their ids, or all open ones of a selection."""

    ids: tuple[int, ...] = ()
    selection: Selection | None = None


def which_options(command: F) -> F:
    """Let a command take ids, `--group` or `--all`; `which` makes one of them."""
    command = click.option("--all", "every", is_flag=True, help="All open letters.")(command)
    command = click.option("--group", metavar="CODE[/GROUP]", help="The open letters of a group of `saga dlq list`.")(
        command
    )
    return click.argument("ids", nargs=-1, type=click.IntRange(1, 2**63 - 1), metavar="[ID]...")(command)


def which(ids: tuple[int, ...], group: str | None, every: bool) -> Which:
    """Return the letters that are meant.

    Raises:
        BadInputError: None are named, or in two ways.
    """
    if (bool(ids), group is not None, every).count(True) != 1:
        raise BadInputError("Name letters by their ids, by --group, or by --all; `saga dlq list` shows what there is.")
    return Which(tuple(dict.fromkeys(ids)), None if ids else _selection(group))


@asynccontextmanager
async def opened_letters(settings: Settings) -> AsyncIterator[Database]:
    """Open the database inside the block, and keep its log entries from the output."""
    log_nothing()
    async with open_database(connections.require_database(settings), pool_size=1) as database:
        yield database


async def count_meant(database: Database, wanted: Which) -> int:
    """Return how many letters are meant.

    Raises:
        BadInputError: An id is none.
    """
    if wanted.selection is not None:
        return await count(database, wanted.selection)
    await states_of(database, wanted.ids)
    return len(wanted.ids)


async def states_of(database: Database, ids: Sequence[int]) -> Mapping[int, State]:
    """Return the states of letters.

    Raises:
        BadInputError: There is no letter with one of the ids.
    """
    found = await states(database, ids)
    for identity in ids:
        if identity not in found:
            raise _unknown(identity)
    return found


async def pages_meant(database: Database, wanted: Which) -> AsyncIterator[Sequence[StoredLetter]]:
    """Yield the letters some at a time, in the order in which they came; those by id in the order of the ids."""
    if wanted.selection is None:
        for start in range(0, len(wanted.ids), _AT_ONCE_BY_ID):
            yield await of_ids(database, wanted.ids[start : start + _AT_ONCE_BY_ID])
        return
    # One that is retried and fails again is a later letter, and must not be retried for ever.
    after, until = 0, await last_id(database)
    while letters := await page(database, wanted.selection, after=after, until=until, limit=AT_ONCE):
        yield letters
        after = letters[-1].id


async def required(database: Database, identity: int) -> StoredLetter:
    """Return the letter with this id.

    Raises:
        BadInputError: There is none.
    """
    letter = await get(database, identity)
    if letter is None:
        raise _unknown(identity)
    return letter


def _unknown(identity: int) -> BadInputError:
    return BadInputError(f"There is no dead letter {identity}; `saga dlq list` shows what there is.")


def body_text(body: bytes) -> str:
    """Return a body for people: indented where it is JSON, as it is where it is text, else its size."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"({len(body):,} bytes that are no text; --json shows them in base64)"
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def body_document(body: bytes) -> dict[str, Json]:
    """Return a body for scripts: as JSON, else as text, else in base64."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}
    try:
        return {"body": json.loads(text, parse_constant=_refused)}
    except (ValueError, RecursionError):
        return {"body_text": text}


def moment(value: datetime) -> str:
    """Return a moment for people."""
    return when(int(value.timestamp() * 1000))


def _refused(constant: str) -> Json:
    raise ValueError(constant)


def _selection(group: str | None) -> Selection:
    code, _, fingerprint = (group or "").partition("/")
    return Selection(code=code or None, fingerprint=fingerprint or None)
