"""`saga versions`, `rollout`, `compat`, `migrate`, and what `saga deploy` refuses, against real services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.outbound import open_client
from activities.registry import catalog
from activities.resources import Resources
from cli.exits import Exit
from cli.rollouts import following_rollouts
from store.database import open_database
from store.rollouts import set_rollout
from tests.cli.conftest import GREETING
from tests.support.command_line import Shell
from tests.support.waiting import eventually
from workers.worker import make_worker
from workflows.language.compiler import compile_sources
from workflows.language.library import Library
from workflows.temporal.run import LibrarySource

NEWER = GREETING.replace("1.0.0", "1.1.0").replace("Hello", "Good day")
NEWEST = GREETING.replace("1.0.0", "2.0.0").replace("- id: ask", "- id: question")
ASKING = '{"name": "Ada", "asks": true}'


@pytest.fixture
async def deployed(connected: Shell, postgres_url: str, client: Client) -> AsyncIterator[Shell]:
    """Three deployed versions of a definition that is called as the task queue, and a worker for them."""
    name, shell = connected.environment["SAGA_TASK_QUEUE"], connected.with_environment(SAGA_DATABASE_URL=postgres_url)
    texts = {version: text.replace("id: greeting", f"id: {name}") for version, text in _VERSIONS.items()}
    Path(shell.folder, "definitions/greeting.yaml").unlink()
    for version, text in texts.items():
        shell.write(f"definitions/{version}.yaml", text)
    library = compiled(texts)
    assert (await shell.saga("deploy")).code == Exit.OK
    async with (
        open_client() as http,
        open_database(postgres_url) as database,
        following_rollouts(lambda: library, database) as rolled,
        make_worker(client, rolled, Resources(http, database), name),
    ):
        yield shell


_VERSIONS = {"1.0.0": GREETING, "1.1.0": NEWER, "2.0.0": NEWEST}


def compiled(texts: dict[str, str]) -> Library:
    """Compile the definitions."""
    library = compile_sources(texts, catalog()).library
    assert library is not None
    return library


def name_of(shell: Shell) -> str:
    """Return the id of the definition."""
    return shell.environment["SAGA_TASK_QUEUE"]


async def states(shell: Shell) -> dict[str, tuple[float | None, int, str]]:
    """Return share, open runs and state of each version."""
    rows = (await shell.saga("versions", name_of(shell), "--json")).json
    return {row["version"]: (row["share"], row["open"], row["state"]) for row in rows}


async def start(shell: Shell, key: str, name: str | None = None) -> None:
    """Start a run that waits for its approval."""
    begun = await shell.saga("run", name or name_of(shell), "--key", key, "--input", ASKING, "--detach")
    assert begun.code == Exit.OK, begun.err
    await eventually(lambda: _waits(shell, key))


async def _waits(shell: Shell, key: str) -> bool:
    return bool((await shell.saga("approve", f"{name_of(shell)}/{key}", "--json")).json)


async def test_rollout_moves_new_runs_and_leaves_open_ones(deployed: Shell) -> None:
    """Back to the older version at once; the newest drains, and is drained when its run has ended."""
    name = name_of(deployed)
    await start(deployed, "first")
    assert await states(deployed) == {
        "2.0.0": (100, 1, "taking runs"),
        "1.1.0": (0, 0, "drained"),
        "1.0.0": (0, 0, "drained"),
    }
    changed = await deployed.saga("rollout", name, "2.0.0", "--percent", "0")
    assert "takes 0 % of the new runs (before: as its file says)" in changed.out
    await start(deployed, "second")
    found = await states(deployed)
    assert (found["2.0.0"], found["1.1.0"]) == ((0, 1, "draining"), (100, 1, "taking runs"))
    for key, step in (("first", "question"), ("second", "ask")):
        await deployed.saga("approve", f"{name}/{key}", step, "--as", "role:doorman")
        assert (await deployed.saga("watch", f"{name}/{key}")).code == Exit.OK
    assert (await states(deployed))["2.0.0"] == (0, 0, "drained")
    back = (await deployed.saga("rollout", name, "2.0.0", "--as-written", "--json")).json
    assert (back["before"], back["percent"]) == (0, None)
    assert (await states(deployed))["2.0.0"][0] == 100


async def test_rollout_refuses_what_makes_no_sense(deployed: Shell) -> None:
    """A version that was not deployed, and no percentage."""
    refused = await deployed.saga("rollout", name_of(deployed), "9.9.9", "--percent", "5")
    assert refused.code == Exit.BAD_INPUT
    assert "Deployed: 2.0.0, 1.1.0, 1.0.0." in refused.err
    assert "was deployed" in (await deployed.saga("rollout", "nobody", "1.0.0", "--percent", "5")).err
    assert (await deployed.saga("rollout", name_of(deployed), "1.0.0")).code == Exit.BAD_INPUT
    assert (await deployed.saga("rollout", name_of(deployed), "1.0.0", "--percent", "101")).code == Exit.BAD_INPUT
    assert (await deployed.saga("versions", "nobody")).code == Exit.BAD_INPUT


async def test_version_in_use_can_neither_change_nor_go(deployed: Shell) -> None:
    """Both refusals name the runs; with --abandon they wait, and `saga versions` says so."""
    name = name_of(deployed)
    await start(deployed, "one", f"{name}@1.0.0")
    file = Path(deployed.folder, "definitions/1.0.0.yaml")
    text = file.read_text()
    file.write_text(text.replace("Hello", "Bye"))
    changed = await deployed.saga("deploy")
    assert changed.code == Exit.BAD_INPUT
    assert f"1 open run: {name}/one" in changed.err
    file.unlink()
    gone = await deployed.saga("deploy")
    assert gone.code == Exit.BAD_INPUT
    assert f"{name} 1.0.0: 1 open run: {name}/one" in gone.err
    assert "--abandon" in gone.err
    assert (await deployed.saga("deploy", "--abandon")).code == Exit.OK
    assert (await states(deployed))["1.0.0"] == (None, 1, "missing")
    Path(deployed.folder, "definitions/1.1.0.yaml").unlink()
    assert f"{name} 1.1.0" not in (await deployed.saga("deploy")).err


async def test_migrate_moves_a_run_or_says_why_not(deployed: Shell) -> None:
    """The dry run changes nothing; an impossible move names the step and the version that would do."""
    name = name_of(deployed)
    await start(deployed, "one", f"{name}@1.0.0")
    run = f"{name}/one"
    refused = await deployed.saga("migrate", run, "--to", "2.0.0")
    assert refused.code == Exit.RUN_FAILED
    assert "ask: It stands at this step, which 2.0.0 does not have." in refused.out
    assert "It could move to: 1.1.0." in refused.out
    dry = (await deployed.saga("migrate", run, "--to", "1.1.0", "--dry-run", "--json")).json
    assert (dry["fits"], dry["moved"], dry["follows"]) == (True, False, "1.0.0")
    assert "It has: 2.0.0, 1.1.0, 1.0.0." in (await deployed.saga("migrate", run, "--to", "7.0.0")).err
    moved = await deployed.saga("migrate", run, "--to", "1.1.0")
    assert moved.code == Exit.OK
    assert "moved: 1.0.0 -> 1.1.0" in moved.out
    await deployed.saga("approve", run, "ask", "--as", "role:doorman")
    assert "Good day Ada" in (await deployed.saga("watch", run, "--json")).out
    assert (await deployed.saga("migrate", "nobody/x", "--to", "1.1.0")).code == Exit.BAD_INPUT


async def test_compat_says_whom_a_change_concerns(shell: Shell) -> None:
    """Versions or files; exit code 1 when somebody outside has to change."""
    shell.write("definitions/newer.yaml", NEWER)
    broken = NEWEST.replace("properties: {name:", "required: [name]\n  properties: {name:")
    file = shell.write("broken.yaml", broken)
    fine = await shell.saga("compat", "greeting@1.0.0", "greeting@1.1.0")
    assert (fine.code, "1.0.0 -> greeting 1.1.0" in fine.out) == (Exit.OK, True)
    document = (await shell.saga("compat", "definitions/greeting.yaml", str(file), "--json")).json
    assert not document["compatible"]
    assert {("breaking", "input"), ("breaking", "step ask")} <= {
        (each["severity"], each["what"]) for each in document["differences"]
    }
    assert (await shell.saga("compat", "definitions/greeting.yaml", str(file))).code == Exit.RUN_FAILED
    assert (await shell.saga("compat", "greeting", "greeting@1.1.0")).code == Exit.BAD_INPUT


async def _leads(source: LibrarySource, version: str) -> bool:
    return [each.version for each in source().current()] == [version]


async def test_library_follows_the_rollouts_and_keeps_its_view(postgres_url: str) -> None:
    """A change is seen by itself; when PostgreSQL is gone the last view counts."""
    library = compiled(dict(_VERSIONS))
    async with open_database(postgres_url) as writer:
        async with open_database(postgres_url) as database, following_rollouts(lambda: library, database) as rolled:
            assert rolled() is rolled()
            await set_rollout(writer, "greeting", "2.0.0", 0, "ada")
            await eventually(lambda: _leads(rolled, "1.1.0"))
        assert [each.version for each in rolled().current()] == ["1.1.0"]
