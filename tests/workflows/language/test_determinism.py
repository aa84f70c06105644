"""Determinism: the same files give the same bytes in every process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workflows.language.canonical import canonical_text
from workflows.language.lower.definition import lower
from workflows.language.parse.definition import parse
from workflows.language.source import read_source

PLANS = Path(__file__).parent / "golden" / "plans"
FILES = tuple(PLANS / name for name in ("agent-creation.json", "agent-creation.yaml", "every-key.yaml"))
PROCESSES = 20
AT_ONCE = 2


def canonical() -> str:
    """Return the canonical text and digest of each recorded definition."""
    plans = []
    for file in FILES:
        definition, _ = parse(read_source(file.name, file.read_bytes()))
        assert definition is not None
        plans.append(lower(definition, {}).plan)
    return "\n".join(f"{plan.digest} {canonical_text(plan)}" for plan in plans)


@pytest.mark.integration
@pytest.mark.unmeasured
def test_plans_are_byte_equal_in_fresh_processes() -> None:
    """Twenty processes with hash seeds of their own agree with this one."""
    found = set()
    for start in range(0, PROCESSES, AT_ONCE):
        running = [_started(seed) for seed in range(start, start + AT_ONCE)]
        found |= {process.communicate()[0] for process in running}
        assert [process.returncode for process in running] == [0] * AT_ONCE
    assert found == {canonical().encode()}


def _started(seed: int) -> subprocess.Popen[bytes]:
    program = (
        "import sys; from tests.workflows.language.test_determinism import canonical; "
        "sys.stdout.buffer.write(canonical().encode())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": str(seed * 7919 + 1)}
    root = Path(__file__).parents[3]
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment, cwd=root)  # noqa: S603 - our own interpreter
