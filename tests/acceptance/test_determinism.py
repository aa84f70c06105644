"""Plans, expressions and command streams are equal to the byte in twenty fresh processes with random hash seeds."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import secrets
import sys
from collections import Counter

import pytest

from tests.acceptance.command_streams import INPUTS, SCHEDULES, Drive, plans
from tests.acceptance.processes import ROOT
from workflows.language.canonical import canonical_text

PROCESSES = 20
AT_ONCE = 2


async def printed(hash_seed: int) -> bytes:
    """Return what a fresh process with this hash seed prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.acceptance.command_streams"),
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, f"PYTHONHASHSEED={hash_seed}"
    return out


@pytest.mark.integration
@pytest.mark.unmeasured
async def test_streams_are_byte_equal_in_fresh_processes() -> None:
    """One hash for twenty processes; the message names a hash seed for each that was found."""
    seeds = [secrets.randbelow(2**32) for _ in range(PROCESSES)]
    found: dict[str, int] = {}
    for start in range(0, PROCESSES, AT_ONCE):
        pair = seeds[start : start + AT_ONCE]
        for seed, text in zip(pair, await asyncio.gather(*map(printed, pair)), strict=True):
            assert text.count(b"\n") > 1000
            found[hashlib.sha256(text).hexdigest()] = seed
    print(f"sha256 {next(iter(found))}")
    assert len(found) == 1, f"different streams; one PYTHONHASHSEED for each: {found}"


def test_streams_reach_every_kind_of_end() -> None:
    """The schedules are worth something: every definition is there, most end well and badly, and people decide."""
    ends: dict[str, Counter[str]] = {plan.id: Counter() for plan in plans()}
    for plan in plans():
        for seed in range(SCHEDULES):
            drive = Drive(plan, random.Random(seed))  # noqa: S311 - a schedule, not a secret
            drive.to_the_end()
            ends[plan.id][drive.state.status] += 1
    assert set(ends) == set(INPUTS)
    assert all("completed" in counted for counted in ends.values()), ends
    kinds = {status for counted in ends.values() for status in counted}
    assert kinds >= {"completed", "compensated", "cancelled", "recovered"}, ends


def test_compiling_again_gives_the_same_plans() -> None:
    """Nothing is left over from the first time."""
    assert [canonical_text(plan) for plan in plans()] == [canonical_text(plan) for plan in plans()]
