"""Which worker runs which tests: those of one `xdist_group` go to one worker, in the order of the tiers.

This is xdist's `loadgroup` with two differences. The groups come from the workers by a file in the run's folder, since
xdist would write them into the ids of the tests, which pytest no longer lets it do. And the test in which a worker
crashed is not run again: it has failed, and where it hangs in native code it would take one worker after the other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling

from tests.support.servers import run_folder

_FILE = "groups.json"


class CrashedOnce(LoadGroupScheduling):
    """Hands a crashed worker's tests to others, but for the one in which it crashed."""

    @cached_property
    def _groups(self) -> Mapping[str, str]:
        groups: dict[str, str] = json.loads((run_folder(self.config) / _FILE).read_text())
        return groups

    def _split_scope(self, nodeid: str) -> str:
        return self._groups.get(nodeid, nodeid)

    def remove_node(self, node: Any) -> str | None:
        """Take a worker away; return the test in which it crashed, or None where it had ended."""
        left = [(unit, test) for unit in self.assigned_work[node].values() for test, done in unit.items() if not done]
        if not left:
            return super().remove_node(node)
        unit, crashed = left[0]
        unit[crashed] = True
        if len(left) == 1:
            # Nothing is left that another worker could take.
            del self.assigned_work[node]
        else:
            super().remove_node(node)
        return crashed


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> CrashedOnce:
    """Schedule so."""
    return CrashedOnce(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Write down the groups, before xdist says that this worker has collected; all workers write the same."""
    if not hasattr(session.config, "workerinput"):
        return
    groups = {item.nodeid: mark.args[0] for item in session.items if (mark := item.get_closest_marker("xdist_group"))}
    file = run_folder(session.config) / _FILE
    draft = Path(f"{file}.{os.getpid()}")
    draft.write_text(json.dumps(groups))
    draft.replace(file)
