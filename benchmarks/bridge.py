"""What the bridge costs beside a consumer written by hand: throughput, latency, memory; and how it shares and prefers.

`python -m benchmarks.bridge` starts real services of its own and lets both take turns, each in a process of its own,
with the same kind of messages. The bridge validates, records, deduplicates and keeps order meanwhile; the consumer by
hand starts a workflow for each message and acknowledges, nothing else. No worker runs: what counts is that Temporal
has accepted. Messages come in two kinds: "keyed" ones, whose headers name their group and class, and plain ones, which
the bridge sorts before it handles them. `--rounds N` and `--only NAME` make it shorter.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from benchmarks.bridge_arena import NOBODY, ORDER, Arena, Contestant, Letter, Name, arena, letter
from benchmarks.bridge_contestants import UNTIL_STOPPED, Result, Turn
from benchmarks.event_log import event_log_throughput
from benchmarks.overhead import STORAGES, Row, limit, paired, row, show
from store.event_log import recent

BACKLOG, BACKLOGS_A_ROUND = 500, 3
GENTLE = 100
GENTLE_PAUSE_SECONDS = 0.05
DRAINED = 100_000
SHARED = 10_000
LEAST_SHARE, LARGEST_SHARE = 0.20, 0.47
RECORDED_A_SECOND = 10_000
REPEATED_EVERY, STARTING_EVERY = 10, 100
HIGH, LOW, FEW_SLOTS = 50, 2_000, 5
_SETTLE_SECONDS = 10
_DAY = timedelta(days=1)

Kind = tuple[str, Name, bool]
KINDS: Final[tuple[Kind, ...]] = (("hand", "by-hand", False), ("keyed", "product", True), ("plain", "product", False))


@dataclass(frozen=True)
class Pair:
    """The two, and where they meet."""

    arena: Arena
    contestants: dict[Name, Contestant]
    rounds: int

    async def backlog(self, name: Name, letters: list[Letter], turn: Turn) -> Result:
        """Publish all, then let a contestant carry them off."""
        await self.arena.producer.give(name)
        await self.arena.producer.publish_all(letters)
        await self.contestants[name].begin(turn)
        return await self.contestants[name].end()

    async def gently(self, name: Name, *, keyed: bool, count: int) -> Result:
        """Publish one event after the other while a contestant consumes."""
        await self.arena.producer.give(name)
        await self.contestants[name].begin(Turn(count))
        clock = asyncio.get_running_loop()
        began = clock.time()
        for number in range(count):
            await asyncio.sleep(began + number * GENTLE_PAUSE_SECONDS - clock.time())
            await self.arena.producer.publish(letter(keyed=keyed))
        return await self.contestants[name].end()

    def turns(self, times: int = 1) -> Iterator[Kind]:
        """Return whose turn it is, turn by turn; each round begins with another.

        Short turns: the machine's speed drifts, and each is compared with the one beside it.
        """
        for number in range(self.rounds * times):
            first = number % len(KINDS)
            yield from (*KINDS[first:], *KINDS[:first])


@asynccontextmanager
async def pair(place: Arena, rounds: int) -> AsyncIterator[Pair]:
    """Have both there inside the block, warmed up."""
    async with place.contestant("product") as ours, place.contestant("by-hand") as theirs:
        found = Pair(place, {"product": ours, "by-hand": theirs}, rounds)
        for _, name, keyed in KINDS:
            await found.backlog(name, [letter(keyed=keyed) for _ in range(GENTLE)], Turn(GENTLE))
        yield found


async def throughput(place: Arena, rounds: int) -> list[Row]:
    """Carry off a backlog of events that each start a run."""
    speeds: defaultdict[str, list[float]] = defaultdict(list)
    async with pair(place, rounds) as both:
        for kind, name, keyed in both.turns(BACKLOGS_A_ROUND):
            result = await both.backlog(name, [letter(keyed=keyed) for _ in range(BACKLOG)], Turn(BACKLOG))
            speeds[kind].append(BACKLOG / result.seconds)
            _progress(f"throughput: {kind} {speeds[kind][-1]:.1f} /s")
    return _beside_hand("throughput", speeds, "/s", 0.9, less=False)


async def latency(place: Arena, rounds: int) -> list[Row]:
    """From publication until Temporal has accepted the start, at 20 events a second."""
    half: defaultdict[str, list[float]] = defaultdict(list)
    most: defaultdict[str, list[float]] = defaultdict(list)
    async with pair(place, rounds) as both:
        for kind, name, keyed in both.turns():
            ages = sorted((await both.gently(name, keyed=keyed, count=GENTLE)).ages)
            half[kind].append(statistics.median(ages) * 1000)
            most[kind].append(ages[int(len(ages) * 0.95)] * 1000)
            _progress(f"publish to started: {kind} {half[kind][-1]:.1f} ms, p95 {most[kind][-1]:.1f} ms")
    rows = _beside_hand("publish to started, p50", half, "ms", 1.5, less=True)
    return rows + [_told(each) for each in _beside_hand("publish to started, p95", most, "ms", 1.5, less=True)]


def _beside_hand(name: str, figures: dict[str, list[float]], unit: str, goal: float, *, less: bool) -> list[Row]:
    hand = figures["hand"]
    return [paired(f"{name}: {kind}", figures[kind], hand, unit, goal, less=less) for kind in ("keyed", "plain")]


def _progress(figure: str) -> None:
    """The machine may be busy with other things: who sees each turn sees whether its median means anything."""
    print(figure, file=sys.stderr, flush=True)


def _told(line: Row) -> Row:
    """A figure that has no goal."""
    return Row(line.name, line.product, line.by_hand, line.ratio, "", holds=True)


async def drain(place: Arena, _: int) -> list[Row]:
    """Drain a long queue: of ten events one is a repetition, of a hundred one starts a run, the others are for none."""
    await place.producer.give("product")
    await place.producer.publish_all(_many(DRAINED))
    async with place.contestant("product") as ours:
        await ours.begin(Turn(DRAINED))
        result = await ours.end()
    tenth, half, all_of_it = result.memory_mib
    what = f"draining {DRAINED:,}"
    return [
        Row(f"{what}: events", f"{DRAINED / result.seconds:.1f} /s", "", "", "", holds=True),
        limit(f"{what}: most memory", result.peak_mib, "MiB", 200),
        row(f"{what}: memory, half : tenth", half, tenth, "MiB", 1.1, less=True),
        row(f"{what}: memory, end : tenth", all_of_it, tenth, "MiB", 1.1, less=True),
    ]


def _many(count: int) -> Iterator[Letter]:
    """Half of them keyed."""
    latest = letter(NOBODY, keyed=True)
    for number in range(count):
        if (number + 1) % REPEATED_EVERY:
            latest = letter(ORDER if number % STARTING_EVERY == 0 else NOBODY, keyed=number % 2 == 0)
        yield latest


async def log(place: Arena, _: int) -> list[Row]:
    """The event log alone: recording with deduplication, and marking as well."""
    figures = await event_log_throughput(place.database)
    recorded, both = figures.recorded, figures.recorded_and_marked
    goal, holds = f">= {RECORDED_A_SECOND:,}", recorded >= RECORDED_A_SECOND
    return [
        Row("recording and deduplicating", f"{recorded:,.0f} /s", "", "", goal, holds),
        Row("the same and marking", f"{both:,.0f} /s", "", "", "", holds=True),
    ]


async def priority(place: Arena, rounds: int) -> list[Row]:
    """A few urgent events among many that can wait, with few slots."""
    rows = []
    async with pair(place, rounds) as both:
        for keyed in (True, False):
            turn = Turn(HIGH + LOW, FEW_SLOTS, follow=True)
            rows += _preferred(await both.backlog("product", _mixed(keyed=keyed), turn), "keyed" if keyed else "plain")
    return rows


def _mixed(*, keyed: bool) -> list[Letter]:
    """Urgent ones at even distances."""
    every = (HIGH + LOW) // HIGH
    places = range(HIGH + LOW)
    urgent = [place % every == every - 1 for place in places]
    return [letter(keyed=keyed, priority=9 * is_urgent, prefix="high" if is_urgent else "low") for is_urgent in urgent]


def _preferred(result: Result, kind: str) -> list[Row]:
    urgent = [at for at, (name, _) in enumerate(result.moments) if name.startswith("high")]
    last, end = result.moments[urgent[-1]][1], result.moments[-1][1]
    meanwhile = urgent[-1] + 1 - len(urgent)
    name = f"{HIGH} high among {LOW:,} low"
    goal = 0.1 if kind == "keyed" else 0.33
    return [
        Row(f"{name}: {kind}", f"{last:.2f} s", "", f"{last / end:.2f}", f"<= {goal:.2f}", last / end <= goal),
        Row("    low ones started meanwhile", str(meanwhile), "", "", "> 0", meanwhile > 0),
    ]


async def sharing(place: Arena, _: int) -> list[Row]:
    """Three bridges, and as many events as make each busy; they are for no run."""
    async with AsyncExitStack() as stack:
        bridges = [await stack.enter_async_context(place.contestant("product")) for _ in range(3)]
        await asyncio.gather(*(bridge.begin(Turn(UNTIL_STOPPED)) for bridge in bridges))
        await asyncio.sleep(_SETTLE_SECONDS)
        before = await _handled(place)
        await place.producer.give("product")
        await place.producer.publish_all(letter(NOBODY, keyed=True) for _ in range(SHARED))
        # The log tells what all of them have done together; there is nothing to be told by.
        while await _handled(place) < before + SHARED:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        results = [await bridge.stop() for bridge in bridges]
    shares = sorted(result.handled / SHARED for result in results)
    in_words = " ".join(f"{share:.0%}" for share in shares)
    holds = shares[0] >= LEAST_SHARE and shares[-1] <= LARGEST_SHARE
    return [
        Row(f"three bridges, {SHARED:,} events", in_words, "", "", f"{LEAST_SHARE:.0%} to {LARGEST_SHARE:.0%}", holds)
    ]


async def _handled(place: Arena) -> int:
    counts = {each["event_type"]: each for each in await recent(place.database, _DAY)}
    found = counts.get(NOBODY)
    return 0 if found is None else found["events"] - found["in_hand"]


GROUPS: dict[str, Callable[[Arena, int], Awaitable[list[Row]]]] = {
    "throughput": throughput,
    "latency": latency,
    "priority": priority,
    "sharing": sharing,
    "log": log,
    "drain": drain,
}


async def main(rounds: int, only: list[str], storage: str) -> bool:
    """Measure the groups named (all, if none is) and return whether every goal was met."""
    rows: list[Row] = []
    async with arena(STORAGES[storage]) as place:
        for name in only or GROUPS:
            rows += await GROUPS[name](place, rounds)
    show(rows)
    return all(line.holds for line in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=tuple(GROUPS), default=[])
    parser.add_argument("--storage", choices=tuple(STORAGES), default="journal")
    chosen = parser.parse_args()
    sys.exit(0 if asyncio.run(main(chosen.rounds, chosen.only, chosen.storage)) else 1)
