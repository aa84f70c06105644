"""`saga deploy` against real Temporal and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.exits import Exit
from tests.cli.conftest import GREETING
from tests.support.command_line import Shell

SCHEDULED = GREETING + '\ntriggers:\n  - schedule: {cron: "0 3 * * *", timezone: Asia/Tokyo}\n'


@pytest.fixture
def deploying(connected: Shell, postgres_url: str) -> Shell:
    """A shell with a database, and a definition that has a schedule."""
    name = connected.environment["SAGA_TASK_QUEUE"]
    connected.write("definitions/greeting.yaml", SCHEDULED.replace("id: greeting", f"id: {name}"))
    return connected.with_environment(SAGA_DATABASE_URL=postgres_url)


async def test_deploy_records_versions_and_shows_fire_times_with_their_zone(deploying: Shell) -> None:
    """The second time everything is unchanged."""
    first = await deploying.saga("deploy")
    assert first.code == Exit.OK
    assert "new" in first.out
    assert first.out.count("03:00:00 JST (UTC+0900)") == 5
    second = (await deploying.saga("deploy", "--json")).json
    assert [each["change"] for each in second["versions"]] == ["unchanged"]
    assert [(each["change"], len(each["next"])) for each in second["schedules"]] == [("unchanged", 5)]


async def test_deploy_refuses_a_changed_file_under_a_deployed_version(deploying: Shell) -> None:
    """Exit code 2 with both digests and the cure; a raised version is taken beside the old one."""
    file = Path(deploying.folder, "definitions/greeting.yaml")
    old = (await deploying.saga("deploy", "--json")).json["versions"][0]["digest"]
    file.write_text(file.read_text().replace("Hello", "Good day"))
    new = (await deploying.saga("validate", "--json")).json["definitions"][0]["digest"]
    refused = await deploying.saga("deploy")
    assert refused.code == Exit.BAD_INPUT
    assert old[:12] in refused.err
    assert new[:12] in refused.err
    assert "Raise `version`" in refused.err
    file.write_text(file.read_text().replace("version: 1.0.0", "version: 1.1.0"))
    assert (await deploying.saga("deploy", "--json")).json["versions"][0]["change"] == "new"


async def test_deploy_dry_run_changes_nothing(deploying: Shell) -> None:
    """What it shows is what a deployment then does."""
    for arguments in (("--dry-run",), ()):
        document = (await deploying.saga("deploy", "--json", *arguments)).json
        assert [each["change"] for each in document["versions"]] == ["new"]
        assert [each["change"] for each in document["schedules"]] == ["created"]
