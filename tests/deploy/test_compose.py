"""The compose file: true to the public schema, and to what the product reads."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from bridge.amqp.connection import nodes_of
from bridge.archive.bucket import BucketStorage
from bridge.settings import BridgeSettings
from cli.archives import s3_access, storage_at
from cli.settings import PREFIX, Settings
from cli.stack.temporal import SEARCH_ATTRIBUTES
from workers.worker import WorkerLimits

ROOT = Path(__file__).parents[2]
TEMPORAL = {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"}
AWS = {"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file, with its anchors resolved."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "temporal-compose.yml").read_text())
    return loaded


def test_compose_follows_the_public_schema(compose: dict[str, Any]) -> None:
    """The Compose Specification's own schema has nothing to object to."""
    schema = json.loads(files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text())
    jsonschema_rs.validator_for(schema).validate(compose)


@pytest.mark.parametrize("service", ["worker", "bridge"])
def test_our_services_set_only_what_is_read(compose: dict[str, Any], service: str) -> None:
    """Each variable of the worker and the bridge is a field of the settings, or Temporal's or AWS's own."""
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields} | TEMPORAL | AWS
    assert set(compose["services"][service]["environment"]) <= known


@pytest.mark.parametrize("service", ["worker", "bridge"])
def test_our_services_have_acceptable_settings(
    compose: dict[str, Any], service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The settings accept the values that they get."""
    monkeypatch.chdir(tmp_path)
    set_all(monkeypatch, compose["services"][service])
    given = nodes_of(Settings().amqp_url or "")
    assert given == tuple(f"amqp://saga:saga-dev@rabbitmq-{number}:5672/" for number in (1, 2, 3))


def test_archive_is_in_the_store_that_is_there(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The bridge archives into the bucket that is made, at the S3 service's address, with its password."""
    monkeypatch.chdir(tmp_path)
    services = compose["services"]
    set_all(monkeypatch, services["bridge"])
    storage, access = storage_at(None, Settings()), s3_access()
    assert isinstance(storage, BucketStorage)
    made = services["s3-bucket"]["entrypoint"][-1].removeprefix("store/")
    assert storage.location == f"s3://{made}/events"
    server = filled(services["s3"]["environment"])
    assert (access.access_key_id, access.secret_access_key) == (
        server["MINIO_ROOT_USER"],
        server["MINIO_ROOT_PASSWORD"],
    )
    key = f"{access.access_key_id}:{access.secret_access_key}"
    assert filled(services["s3-bucket"]["environment"])["MC_HOST_store"] == f"http://{key}@s3:9000"
    assert access.endpoint == "http://s3:9000"
    assert services["bridge"]["depends_on"].keys() >= {"s3-bucket", *services["worker"]["depends_on"]}


def test_ports_that_are_listened_at_can_be_reached(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Webhooks and metrics of the bridge are published; Prometheus asks the metrics of both, and has our rules."""
    monkeypatch.chdir(tmp_path)
    services = compose["services"]
    set_all(monkeypatch, services["bridge"])
    settings = Settings()
    assert (settings.http_host, settings.metrics_host) == ("0.0.0.0", "0.0.0.0")  # noqa: S104  # a container's own
    assert services["bridge"]["ports"] == [
        f"127.0.0.1:{port}:{port}" for port in (settings.http_port, settings.metrics_port)
    ]
    [job] = yaml.safe_load(compose["configs"]["prometheus"]["content"])["scrape_configs"]
    assert job["static_configs"][0]["targets"] == [f"{name}:{settings.metrics_port}" for name in ("bridge", "worker")]
    assert services["worker"]["environment"]["SAGA_METRICS_PORT"] == str(settings.metrics_port)
    rules = ROOT / compose["configs"]["alerts"]["file"]
    assert f'job="{job["job_name"]}"' in rules.read_text()


def test_nothing_is_published_twice(compose: dict[str, Any]) -> None:
    """Each port of the host belongs to one service."""
    ports = [port.rsplit(":", 1)[0] for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(ports) == len(set(ports))


def filled(environment: dict[str, str]) -> dict[str, str]:
    """Return an environment as compose gives it where no variable is set."""
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in environment.items()}


def set_all(monkeypatch: pytest.MonkeyPatch, service: dict[str, Any]) -> None:
    """Set what a service gets."""
    for name, value in filled(service["environment"]).items():
        monkeypatch.setenv(name, value)


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    """Each image has a tag that names one version; ours has one by default."""
    for name, service in compose["services"].items():
        tag = service["image"].partition(":")[2]
        assert re.search(r"\d+\.\d+|RELEASE\.\d{4}", tag), name


def test_dependencies_exist_and_can_be_waited_for(compose: dict[str, Any]) -> None:
    """A service that others wait for to be healthy has a health check."""
    services = compose["services"]
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services, name
            assert how["condition"] != "service_healthy" or "healthcheck" in services[needed], needed


def test_secrets_can_be_replaced(compose: dict[str, Any]) -> None:
    """No password or cookie is fixed: each is a variable with a default for one machine."""
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASS|PWD|COOKIE|SECRET", variable) or "://saga:" in value:
                assert re.search(r"\$\{[A-Z0-9_]+:-[^}]+\}", value), (name, variable)


def test_ports_stay_on_the_machine(compose: dict[str, Any]) -> None:
    """Nothing is published beyond the loopback interface."""
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_rabbitmq_nodes_know_each_other(compose: dict[str, Any]) -> None:
    """The cluster's configuration names the three nodes by their host names."""
    hosts = {service["hostname"] for service in compose["services"].values() if "hostname" in service}
    named = set(re.findall(r"nodes\.\d = rabbit@(\S+)", compose["configs"]["rabbitmq"]["content"]))
    assert hosts == named
    assert len(hosts) == 3


def test_nothing_is_declared_before_the_cluster_is_whole(compose: dict[str, Any]) -> None:
    """A quorum queue has its members on the nodes that are there when it is declared: all of them must be."""
    services = compose["services"]
    nodes = {name for name, service in services.items() if "hostname" in service and name.startswith("rabbitmq-")}
    waiting = services["rabbitmq-cluster"]
    assert {name: needed["condition"] for name, needed in waiting["depends_on"].items()} == dict.fromkeys(
        nodes, "service_healthy"
    )
    assert f"await_online_nodes {len(nodes)}" in waiting["command"][0]
    for name in ("saga-deploy", "worker", "bridge"):
        assert "rabbitmq-cluster" in needs(services, name), name


def test_definitions_are_deployed_before_anything_of_ours_runs(compose: dict[str, Any]) -> None:
    """Else there are no schedules, and nothing keeps a version that is in use."""
    services = compose["services"]
    assert services["saga-deploy"]["command"] == ["deploy"]
    for name in ("worker", "bridge"):
        assert services[name]["depends_on"]["saga-deploy"] == {"condition": "service_completed_successfully"}
    assert needs(services, "saga-deploy") >= {"temporal-namespace", "postgres"}


def needs(services: dict[str, Any], name: str) -> set[str]:
    """Return all services that a service needs, also those that others of them need."""
    found: set[str] = set()
    left = [name]
    while left:
        direct = services[left.pop()].get("depends_on", {}).keys() - found
        found |= direct
        left += direct
    return found


def test_our_services_have_time_to_finish(compose: dict[str, Any]) -> None:
    """More than what they have in hand may take; then Docker kills."""
    for name in ("worker", "bridge"):
        grace = timedelta(seconds=int(compose["services"][name]["stop_grace_period"].removesuffix("s")))
        assert grace > WorkerLimits().shutdown + BridgeSettings().patience + timedelta(seconds=10)


def test_temporal_can_grow(compose: dict[str, Any]) -> None:
    """The number of history shards can never be changed; the image's own is 4."""
    assert int(compose["services"]["temporal"]["environment"]["NUM_HISTORY_SHARDS"]) >= 512


def test_search_attributes_are_those_of_the_product(compose: dict[str, Any]) -> None:
    """The namespace gets the attributes that runs carry, of the same types as the embedded server's."""
    (script,) = compose["services"]["temporal-namespace"]["command"]
    kinds = {1: "Text", 2: "Keyword", 7: "KeywordList"}
    assert dict(re.findall(r"(Saga\w+):(\w+)", script)) == {
        name: kinds[kind] for name, kind in SEARCH_ATTRIBUTES.items()
    }


def test_image_is_locked_and_unprivileged() -> None:
    """The image installs by hash, from pinned images, and does not run as root."""
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert dockerfile.count("--require-hashes") == 2
    assert re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE) == ["10001"]
    assert all(re.search(r":\d+\.\d+\.\d+", image) for image in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE))
