"""The compose file: true to the public schema, and to what the product reads."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from cli.settings import PREFIX, Settings
from cli.stack.temporal import SEARCH_ATTRIBUTES

ROOT = Path(__file__).parents[2]
TEMPORAL = {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"}


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
    """Each variable of the worker and the bridge is a field of the settings, or Temporal's own."""
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields} | TEMPORAL
    assert set(compose["services"][service]["environment"]) <= known


@pytest.mark.parametrize("service", ["worker", "bridge"])
def test_our_services_have_acceptable_settings(
    compose: dict[str, Any], service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The settings accept the values that they get."""
    monkeypatch.chdir(tmp_path)
    for name, value in compose["services"][service]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value))
    assert Settings().amqp_url == "amqp://saga:saga-dev@rabbitmq:5672/"


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
    hosts = {service["hostname"] for name, service in compose["services"].items() if name.startswith("rabbitmq-")}
    named = set(re.findall(r"nodes\.\d = rabbit@(\S+)", compose["configs"]["rabbitmq"]["content"]))
    assert hosts == named
    assert len(hosts) == 3


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
