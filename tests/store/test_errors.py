"""What PostgreSQL says in trouble, in our words: what passes is waited for, what never will is refused."""

from __future__ import annotations

import pytest

from contracts.errors import ServiceUnreachableError
from store.database import Database
from store.errors import StatementRefusedError

_RAISE = "do $$ begin raise exception 'planned' using errcode = '{}'; end $$"


@pytest.mark.parametrize("code", ["53100", "53200", "57014", "58030", "25006", "XX000"])
async def test_server_that_cannot_now_is_waited_for(database: Database, code: str) -> None:
    """A full disk, no memory, a cancelled query, an I/O error, a standby that is being promoted, a fault within."""
    with pytest.raises(ServiceUnreachableError, match="planned"):
        await database.fetch(_RAISE.format(code))


@pytest.mark.parametrize("code", ["22001", "23505", "42501"])
async def test_statement_that_never_will_is_refused(database: Database, code: str) -> None:
    """A value that is too long, a key that is there, a permission that is not."""
    with pytest.raises(StatementRefusedError, match="planned"):
        await database.fetch(_RAISE.format(code))


async def test_argument_that_cannot_be_sent_is_refused(database: Database) -> None:
    """It is no lost connection: nothing would get better by waiting."""
    with pytest.raises(StatementRefusedError):
        await database.fetch("select $1::integer", "no number")
