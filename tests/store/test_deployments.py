"""Deployed versions never change."""

from __future__ import annotations

from store.database import Database
from store.deployments import deployments, record_deployment


async def test_record_deployment_keeps_the_first_digest(database: Database) -> None:
    """A changed file under a deployed version gets the old digest back."""
    assert await record_deployment(database, "a", "1.0.0", "d1") == "d1"
    assert await record_deployment(database, "a", "1.0.0", "d1") == "d1"
    assert await record_deployment(database, "a", "1.0.0", "d2") == "d1"
    assert await record_deployment(database, "a", "1.1.0", "d2") == "d2"


async def test_deployments_lists_all(database: Database) -> None:
    """Definitions in order, the oldest version first."""
    await record_deployment(database, "b", "1.0.0", "d1")
    await record_deployment(database, "a", "2.0.0", "d2")
    await record_deployment(database, "a", "10.0.0", "d3")
    found = await deployments(database)
    assert [(entry.definition, entry.version, entry.digest) for entry in found] == [
        ("a", "2.0.0", "d2"),
        ("a", "10.0.0", "d3"),
        ("b", "1.0.0", "d1"),
    ]
    assert found[0].deployed_at.tzinfo is not None
