"""On which nodes of a real cluster our queues are, as `saga topology apply` and `saga doctor` tell."""

from __future__ import annotations

import pytest

from bridge.topology.names import INBOX
from cli.queue_members import places
from tests.support.command_line import Shell
from tests.support.services.cluster import Cluster, node_name
from tests.support.waiting import eventually

_SHRINK = '[rabbit_quorum_queue:delete_member(<<"{vhost}">>, <<"{queue}">>, \'{node}\') || _ <- [1]].'


@pytest.mark.parametrize(
    ("given", "amqp", "expected"),
    [
        ("http://elsewhere:1/", "amqp://a/", ("http://elsewhere:1",)),
        (None, "amqp://u:p@a:5672/x,amqp://u:p@b/x,amqp://u:p@a/x", ("http://a:15672", "http://b:15672")),
        (None, "amqps://u:p@a/", ("https://a:15671",)),
        (None, "amqp://[::1]/", ("http://[::1]:15672",)),
    ],
)
def test_interface_is_looked_for_beside_the_nodes(given: str | None, amqp: str, expected: tuple[str, ...]) -> None:
    """With TLS where AMQP has it: the password goes along."""
    assert places(given, amqp) == expected


@pytest.mark.fault
async def test_queues_on_fewer_nodes_are_named_with_their_cure(
    shell: Shell, cluster: Cluster, cluster_url: str
) -> None:
    """Unknown without the management plugin; with it the queue that has lost a member, and the command that helps."""
    shell.write("definitions/topology.yaml", "partitions: 1\n")
    asking = shell.with_environment(SAGA_AMQP_URL=cluster_url)
    first = (await asking.saga("topology", "apply", "--json")).json
    assert first["members"]["state"] == "unknown"
    asking, vhost = (
        asking.with_environment(SAGA_AMQP_MANAGEMENT_URL=await cluster.manage()),
        cluster_url.rpartition("/")[2],
    )

    async def complete() -> bool:
        members = (await asking.saga("topology", "apply", "--json")).json["members"]
        return bool(members["state"] == "complete")

    await eventually(complete)
    await cluster.control("eval", _SHRINK.format(vhost=vhost, queue=INBOX, node=node_name(3)))

    async def lacking() -> bool:
        members = (await asking.saga("topology", "apply", "--json")).json["members"]
        return bool(members["state"] == "lacking" and list(members["lacking"]) == [INBOX])

    await eventually(lacking)
    checks = (await asking.saga("doctor", "--json")).json
    found = next(check for check in checks if check["about"] == "Cluster")
    assert (found["status"], found["cure"]) == ("warning", f"rabbitmq-queues grow {node_name(3)} all")
