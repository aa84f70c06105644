"""PostgreSQL: our own server asks for its password; a local one is used when it lets us in."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.stack import postgres
from cli.stack.events import Happening
from cli.stack.folder import StateFolder
from cli.stack.ports import choose_port

pytestmark = pytest.mark.integration


async def test_local_server_is_reused_only_when_it_lets_us_in(state_dir: Path) -> None:
    """Our server refuses everybody without its password; once told to trust, it is used, with a database of ours."""
    port = choose_port()
    async with postgres.serving(StateFolder.at(state_dir), port, durable=False) as service:
        assert await postgres.reused(port) is None
        hba = await postgres.query(service.url, "SHOW hba_file")
        assert hba is not None
        Path(hba).write_text("host all all 127.0.0.1/32 trust\n")
        await postgres.query(service.url, "SELECT pg_reload_conf()")
        await postgres.query(service.url, "DROP DATABASE saga")
        found = await postgres.reused(port)
        assert found is not None
        assert (found.url, found.happening) == (f"postgresql://postgres@127.0.0.1:{port}/saga", Happening.REUSED)
        assert await postgres.query(found.url, "SELECT 1", "saga") == "1"


async def test_nothing_is_reused_where_nothing_runs() -> None:
    """Where no server answers there is none to use."""
    assert await postgres.reused(choose_port()) is None


async def test_what_is_kept_outside_the_state_folder_is_forgotten(tmp_path: Path) -> None:
    """Where root's folders hide the data, they lie elsewhere, and are gone when that is told to forget."""
    async with postgres.serving(StateFolder.at(tmp_path), choose_port(), durable=False) as service:
        data = await postgres.query(service.url, "SHOW data_directory")
    assert data is not None
    postgres.forget(tmp_path)
    assert Path(data).is_relative_to(tmp_path) or not Path(data).parent.exists()
