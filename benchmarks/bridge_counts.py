"""What an event makes the broker and PostgreSQL do, as they count it themselves.

RabbitMQ counts what clients published and acknowledged, PostgreSQL its commits, the rows written and the bytes of its
log. All is counted from outside, so it is the same for a contestant written by hand, and no machine changes it, but for
how many events happen to share a commit.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from cli.stack import rabbitmq
from store.database import Database

_BROKER: Final = """
All = rabbit_global_counters:overview(),
Of = fun(Labels, Name) -> maps:get(Name, maps:get([{protocol, amqp091} | Labels], All)) end,
{Of([], messages_received_total), Of([{queue_type, rabbit_quorum_queue}], messages_acknowledged_total)}.
"""
_FLUSH: Final = "select pg_stat_force_next_flush()"  # or what our own session did before would count for the turn
_STORE: Final = """
select xact_commit as commits, tup_inserted + tup_updated + tup_deleted as rows_written,
       pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') as log_bytes
from pg_stat_database where datname = current_database()
"""


@dataclass(frozen=True)
class Counts:
    """Totals since the services began, or their difference for each event of a turn."""

    published: float
    acknowledged: float
    commits: float
    rows_written: float
    log_bytes: float


def per_event(before: Counts, after: Counts, events: int) -> Counts:
    """Return what each event of a turn added."""
    earlier = asdict(before)
    return Counts(**{name: (value - earlier[name]) / events for name, value in asdict(after).items()})


async def read_counts(broker: Mapping[str, str], database: Database) -> Counts:
    """Read the totals now.

    Args:
        broker: The environment of the broker's node, for its command line tool.
        database: The store. Sessions tell their share at their end, so those of a turn must be closed.
    """
    published, acknowledged = await _of_the_broker(broker)
    await database.fetch(_FLUSH)
    (found,) = await database.fetch(_STORE)
    stored = {name: float(value) for name, value in found.items()}
    return Counts(published=published, acknowledged=acknowledged, **stored)


async def _of_the_broker(environment: Mapping[str, str]) -> tuple[int, int]:
    process = await asyncio.create_subprocess_exec(
        str(rabbitmq.SERVER.with_name("rabbitmqctl")),
        *("--node", rabbitmq.NODE, "--quiet", "eval", _BROKER),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(environment),
        cwd=environment["HOME"],
    )
    output, _ = await process.communicate()
    found = re.fullmatch(r"\{(\d+),\s*(\d+)\}", output.decode().strip())
    if found is None:
        raise SystemExit(f"The broker does not tell its counts:\n{output.decode()}")
    return int(found[1]), int(found[2])
