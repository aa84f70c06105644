"""Workers are killed, one after the other and all at once, while runs have effects at a service over HTTP.

The service does what a service with idempotency keys does: a key is an effect, and a request with a key that it knows
changes nothing. So each effect happens once if all requests for it carry one key, however often they were sent, and
that is what is counted, for steps and for compensations.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError

from activities.registry import catalog
from cli.stack.events import Service as Running
from tests.acceptance.processes import ProcessSettings, Service, running
from tests.activities.server import Answer, Asked, HttpServer, serving
from tests.chaos.size import SEED, TIMEOUT_SECONDS, sized
from tests.support.waiting import eventually
from workflows.language.compiler import compile_sources
from workflows.temporal.starting import StartRequest, start_run

pytestmark = pytest.mark.fault

RUNS = sized(24, 400)
KILLS = sized(2, 30)
_BAD = 3
"""Every third run fails at its last step, and is rolled back."""
_SLOW_SECONDS = 0.1
_AT_ONCE = 20
_DONE = ("book", "ship", "close")
_UNDONE = ("unship", "unbook")

_STEP = """
  - id: {name}
    action: http.request
    with: {{method: POST, url: "{url}/{name}", body: {{run: "${{ input.run }}"}}, idempotent: true}}
    attempt_timeout: 3s
    retry: {{attempts: 100, backoff: 200ms, max_backoff: 1s}}
"""
_UNDO = """
    compensate:
      action: http.request
      with: {{method: POST, url: "{url}/un{name}", body: {{run: "${{ input.run }}"}}, idempotent: true}}
      attempt_timeout: 3s
      retry: {{attempts: 100, backoff: 200ms, max_backoff: 1s}}
"""


def definition(url: str) -> str:
    """Return the YAML of a booking at the service."""
    steps = [_STEP + _UNDO, _STEP + _UNDO, _STEP]
    rows = (text.format(name=name, url=url) for name, text in zip(_DONE, steps, strict=True))
    return "id: booking\nname: Booking\nversion: 1.0.0\nkey: ${ input.run }\nsteps:" + "".join(rows)


def run_of(asked: Asked) -> str:
    """Return the run that a request is about."""
    return str(json.loads(asked.body)["run"])


def is_whole(asked: Asked) -> bool:
    """Tell whether all of a request came; the rest of what a worker was sending when it died is no request."""
    return len(asked.body) == int(asked.headers["content-length"])


def answered(asked: Asked) -> Answer:
    """Take some time, as a service does, so that there is something to interrupt; refuse to close every third run."""
    if not is_whole(asked):
        return Answer(400)
    time.sleep(_SLOW_SECONDS)
    is_refused = asked.path == "/close" and is_bad(run_of(asked))
    return Answer(409 if is_refused else 200)


def is_bad(run: str) -> bool:
    """Tell whether a run is to fail."""
    return int(run.rpartition("-")[2]) % _BAD == 0


@dataclass(frozen=True)
class Effects:
    """The ledger: what the service was asked for by these runs."""

    runs: Sequence[str]
    asked: Sequence[Asked]

    @property
    def keys(self) -> Mapping[tuple[str, str], list[str]]:
        """The idempotency keys by run and effect, one for each request."""
        keys: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for each in self.asked:
            keys[run_of(each), each.path[1:]].append(each.headers.get("idempotency-key", ""))
        return keys

    def wrong(self) -> list[str]:
        """Return what is lost, there twice, or not to be."""
        keys, found = self.keys, []
        for run in self.runs:
            for effect in (*_DONE, *_UNDONE):
                expected = effect in _DONE or is_bad(run)
                number = len(set(keys.get((run, effect), ())))
                if number != expected:
                    found.append(f"{run}: {effect} happened {number} times instead of {int(expected)}")
            if (order := self._undone(run)) != list(_UNDONE) * is_bad(run):
                found.append(f"{run}: undone were {order}")
        shared = len({key for each in keys.values() for key in each}) - len(keys)
        return found if shared == 0 or found else [f"{-shared} effects have the key of another"]

    def report(self, kills: int) -> str:
        """Return one line for people."""
        effects = len({(effect, key) for effect, each in self.keys.items() for key in each})
        return (
            f"killed workers: {kills} kills, {len(self.runs)} runs, {len(self.asked)} requests, {effects} effects, "
            f"{len(self.asked) - effects} repeated with their key, wrong {len(self.wrong())} (SAGA_CHAOS_SEED={SEED})"
        )

    def _undone(self, run: str) -> list[str]:
        paths = [each.path[1:] for each in self.asked if run_of(each) == run]
        return list(dict.fromkeys(path for path in paths if path in _UNDONE))


async def start_all(client: Client, queue: str, text: str, runs: Sequence[str]) -> None:
    """Start the runs."""
    library = compile_sources({"booking.yaml": text}, catalog()).library
    assert library is not None
    [booking] = library.all()
    for at in range(0, len(runs), _AT_ONCE):
        requests = [StartRequest(booking, {"run": run}, key=run) for run in runs[at : at + _AT_ONCE]]
        await asyncio.gather(*(start_run(client, queue, request) for request in requests))


async def kill_in_turn(workers: Sequence[Service], service: HttpServer, chance: random.Random) -> int:
    """Kill one worker or all, each time after some more requests, and start them again; return how many died."""
    killed = 0
    for _ in range(KILLS):
        wanted = len(service.asked) + chance.randint(8, sized(14, 40))

        async def there(wanted: int = wanted) -> bool:
            return len(service.asked) >= wanted

        await eventually(there, TIMEOUT_SECONDS, progress=lambda: len(service.asked))
        victims = chance.sample(workers, chance.randint(1, len(workers)))
        await asyncio.gather(*(worker.kill() for worker in victims))
        killed += len(victims)
        await asyncio.gather(*(worker.start() for worker in victims))
    return killed


async def has_ended_well(client: Client, run: str) -> bool:
    """Wait for the end of a run, and tell whether it did what it is for."""
    try:
        await client.get_workflow_handle(f"booking/{run}").result()
    except WorkflowFailureError:
        return False
    return True


async def test_effects_happen_once_though_workers_are_killed(
    tmp_path: Path, temporal_service: Running, postgres_url: str, amqp_url: str
) -> None:
    """All runs end as they must; a request that is repeated carries the key of the first, also in a rollback."""
    chance = random.Random(f"{SEED}-workers")  # noqa: S311 - faults, not secrets
    client, queue = await Client.connect(temporal_service.url), f"killed-{uuid.uuid4().hex[:8]}"
    runs = [f"{queue}-{number}" for number in range(RUNS)]
    async with AsyncExitStack() as parts:
        service = parts.enter_context(serving())
        service.answer = answered
        folder = tmp_path / "definitions"
        folder.mkdir()
        (folder / "booking.yaml").write_text(definition(service.url))
        settings = ProcessSettings(
            tmp_path,
            temporal_service.url,
            postgres_url,
            amqp_url,
            queue,
            folder,
            extra={"SAGA_ALLOWED_NETWORKS": "127.0.0.0/8"},
        )
        workers = [await parts.enter_async_context(running(settings, "worker", f"worker-{n}")) for n in range(2)]
        await start_all(client, queue, definition(service.url), runs)
        killed = await kill_in_turn(workers, service, chance)
        ends = await asyncio.gather(*(has_ended_well(client, run) for run in runs))
        effects = Effects(runs, [each for each in service.asked if is_whole(each)])
    report = effects.report(killed)
    assert ends == [not is_bad(run) for run in runs], report
    assert effects.wrong() == [], "\n".join([report, *effects.wrong()])
    assert len(effects.asked) > len(effects.keys), f"{report}: the kills interrupted nothing"
    sys.stdout.write(f"\n{report}\n")


def _asked(run: str, effect: str, key: str) -> Asked:
    return Asked("POST", f"/{effect}", {"idempotency-key": key}, json.dumps({"run": run}).encode())


def _all_of(run: str) -> list[Asked]:
    return [_asked(run, effect, f"{run}/{effect}") for effect in (*_DONE, *(_UNDONE if is_bad(run) else ()))]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ([], []),
        ([_asked("x-1", "book", "x-1/book")], []),
        ([_asked("x-1", "book", "another")], ["x-1: book happened 2 times instead of 1"]),
        ([_asked("x-0", "unbook", "another")], ["x-0: unbook happened 2 times instead of 1"]),
        ([_asked("x-1", "unship", "x-1/unship")], ["x-1: unship happened 1 times instead of 0", "x-1: undone were"]),
    ],
)
def test_effects_that_happen_twice_are_caught(change: list[Asked], wrong: list[str]) -> None:
    """The ledger is not blind: the same key again is no effect, another is."""
    found = Effects(["x-0", "x-1"], [*_all_of("x-0"), *_all_of("x-1"), *change]).wrong()
    assert len(found) == len(wrong)
    assert all(one.startswith(start) for one, start in zip(found, wrong, strict=True))


def test_effects_that_are_lost_or_undone_in_the_wrong_order_are_caught() -> None:
    """A step that was not undone, and two that were undone the other way round."""
    whole = _all_of("x-0")
    assert Effects(["x-0"], whole[:-1]).wrong()
    assert Effects(["x-0"], [*whole[:3], whole[4], whole[3]]).wrong() == ["x-0: undone were ['unbook', 'unship']"]
