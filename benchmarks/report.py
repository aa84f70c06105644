"""How long `saga report` takes over many runs: a million rows of steps and 800,000 of attempts by default.

`python -m benchmarks.report` starts a PostgreSQL of its own and fills it by SQL alone. Two definitions share the runs,
one of them with two versions; a step in twenty was retried, a run in twenty failed and was undone, one in four waited
for people. All of it lies within the week that a report covers. The goal is 2 seconds, read and computed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, LiteralString

from cli.stack import postgres
from cli.stack.folder import StateFolder
from cli.stack.ports import choose_port
from store.database import Database, open_database
from store.report_figures import Selection
from store.reports import read_report

GOAL_SECONDS: Final = 2.0
STEPS: Final = 1_000_000
_STEPS_IN_A_RUN: Final = 10
_RUNS_AT_ONCE: Final = 10_000

_RUNS: Final[LiteralString] = """
insert into saga.runs (id, execution, workflow_id, definition, version, digest, key, status, sequence,
                       started_at, changed_at, ended_at, problem_type, problem_title, actions)
select id, id, definition || '/' || number, definition, version, 'd', number::text, status, 20,
       began, began + length, began + length, problem, problem, 12
from (
    select md5(number::text) || substr(md5('x' || number::text), 1, 4) as id, number,
           case when number % 3 = 0 then 'invoice-collection' else 'order-fulfilment' end as definition,
           case when number % 3 = 1 then '1.1.0' else '1.0.0' end as version,
           case when number % 20 = 7 then 'compensated' when number % 50 = 3 then 'recovered'
                else 'completed' end as status,
           case when number % 20 = 7 then 'communication' end as problem,
           now() - interval '6 days' + number * interval '5 seconds' * (100000.0 / $1) as began,
           interval '10 seconds' + (number % 997) * interval '20 milliseconds'
               + case when number % 4 = 0 then interval '1 hour' else interval '0' end as length
    from generate_series(1, $1::int) as number
) as made
"""
_STEP_ROWS: Final[LiteralString] = """
insert into saga.steps (run_id, path, step, kind, action, status, position, sequence,
                        started_at, ended_at, problem_type)
select id, step || suffix, step, kind, action, status, at, at + 1,
       started_at + (at - 1) * share, started_at + at * share, case when status = 'failed' then 'communication' end
from (
    select r.id, r.started_at, (r.ended_at - r.started_at) / $1 as share, at,
           'step-' || at as step,
           case when at = 10 and r.status = 'compensated' then '/compensate' else '' end as suffix,
           case when at = 10 and r.status = 'compensated' then 'compensation'
                when at = 4 then 'approval' when at = 6 then 'receive' else 'action' end as kind,
           case when at not in (4, 6) then 'data.transform' end as action,
           case when at = 9 and r.status = 'compensated' then 'failed' else 'completed' end as status
    from saga.runs r cross join generate_series(1, $1::int) as at
    where r.key::int between $2 and $3
) as made
"""
_ATTEMPT_ROWS: Final[LiteralString] = """
insert into saga.attempts (run_id, path, attempts, scheduled_at, started_at, ended_at)
select s.run_id, s.path, case when hashtext(s.run_id || s.path) % 20 = 0 then 3 else 1 end, s.started_at,
       s.started_at + (s.ended_at - s.started_at) * 0.2, s.ended_at - (s.ended_at - s.started_at) * 0.1
from saga.steps s join saga.runs r on r.id = s.run_id
where r.key::int between $1 and $2 and s.kind in ('action', 'compensation')
"""


async def fill(database: Database, steps: int) -> None:
    """Write runs of ten steps each, until there are so many steps."""
    runs = steps // _STEPS_IN_A_RUN
    async with database.transaction() as session:
        await session.execute(_RUNS, runs)
    for first in range(1, runs + 1, _RUNS_AT_ONCE):
        last = first + _RUNS_AT_ONCE - 1
        async with database.transaction() as session:
            await session.execute(_STEP_ROWS, _STEPS_IN_A_RUN, first, last)
            await session.execute(_ATTEMPT_ROWS, first, last)
    # The server does the same by itself within minutes.
    async with database.transaction() as session:
        await session.execute("analyze saga.runs, saga.steps, saga.attempts")


async def measured(database: Database, rounds: int) -> list[float]:
    """Read the report of everything several times and return the seconds of each."""
    selection = Selection(since=datetime.now(UTC) - timedelta(days=7))
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        await read_report(database, selection)
        seconds.append(time.perf_counter() - began)
    return seconds


async def main(steps: int, rounds: int) -> None:
    """Fill, measure, print."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            postgres.serving(StateFolder.at(Path(folder)), choose_port(), durable=False) as service,
            open_database(service.url) as database,
        ):
            began = time.perf_counter()
            await fill(database, steps)
            print(f"{steps:,} steps written in {time.perf_counter() - began:.1f} s")
            seconds = await measured(database, rounds)
    median = statistics.median(seconds)
    verdict = "holds" if median <= GOAL_SECONDS else "MISSED"
    print(f"report: median {median:.2f} s of {rounds} (first {seconds[0]:.2f} s); goal {GOAL_SECONDS:.1f} s {verdict}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.steps, arguments.rounds))
