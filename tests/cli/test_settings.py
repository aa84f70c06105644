"""The settings: where they are read from, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import settings
from cli.settings import BadSettingsError, load_settings
from cli.stack.folder import Addresses, StateFolder


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty working directory and home, and none of the variables that this machine may have."""
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(f"SAGA_{name.upper()}", raising=False)
    for name in ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_settings_have_defaults_for_everything() -> None:
    """With nothing set, the settings are those of the documentation."""
    found = load_settings()
    assert (found.task_queue, found.definitions, found.state_dir) == ("saga", Path("definitions"), Path(".saga"))
    assert found.database_url is None


def test_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, bare_environment: Path) -> None:
    """What both set comes from the environment, the rest from `saga.toml`."""
    (bare_environment / "saga.toml").write_text('task_queue = "file"\nprefetch = 7\n')
    monkeypatch.setenv("SAGA_TASK_QUEUE", "variable")
    found = load_settings()
    assert (found.task_queue, found.prefetch) == ("variable", 7)


def test_wrong_values_are_all_named(monkeypatch: pytest.MonkeyPatch, bare_environment: Path) -> None:
    """Each wrong or unknown setting is named as one would write it, in one error."""
    (bare_environment / "saga.toml").write_text("prefetsch = 7\n")
    monkeypatch.setenv("SAGA_PREFETCH", "none")
    monkeypatch.setenv("SAGA_AMQP_URL", "http://broker")
    with pytest.raises(BadSettingsError) as caught:
        load_settings()
    for name in ("SAGA_PREFETCH", "SAGA_AMQP_URL", "prefetsch in saga.toml"):
        assert name in str(caught.value)


def test_allowed_networks_must_be_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no network is named, before anything runs."""
    monkeypatch.setenv("SAGA_ALLOWED_NETWORKS", "127.0.0.0/8, ::1/128")
    assert load_settings().allowed_networks == "127.0.0.0/8, ::1/128"
    monkeypatch.setenv("SAGA_ALLOWED_NETWORKS", "127.0.0.1/8")
    with pytest.raises(BadSettingsError, match=r"SAGA_ALLOWED_NETWORKS.*127\.0\.0\.1/8 has host bits set"):
        load_settings()


def test_passwords_are_not_repeated_in_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that is refused may hold a password, and is not shown."""
    monkeypatch.setenv("SAGA_DATABASE_URL", "mysql://root:geheim@host/db")
    with pytest.raises(BadSettingsError) as caught:
        load_settings()
    assert "geheim" not in str(caught.value)


def test_broken_file_is_a_plain_error(bare_environment: Path) -> None:
    """A file that is not TOML is named."""
    (bare_environment / "saga.toml").write_text("task_queue = ")
    with pytest.raises(BadSettingsError, match=r"saga\.toml"):
        load_settings()


def test_temporal_settings_are_those_of_its_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Address, namespace and key come from Temporal's own variables."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "cluster:7233")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "orders")
    config = settings.temporal_connect_config(load_settings())
    assert (config["target_host"], config["namespace"]) == ("cluster:7233", "orders")
    stack = settings.stack_settings(load_settings())
    assert (stack.temporal_address, stack.namespace) == ("cluster:7233", "orders")


def test_broken_temporal_settings_are_a_plain_error(monkeypatch: pytest.MonkeyPatch, bare_environment: Path) -> None:
    """A configuration file of Temporal's that cannot be read is named."""
    (bare_environment / "temporal.toml").write_text("[[")
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(bare_environment / "temporal.toml"))
    with pytest.raises(BadSettingsError, match="TEMPORAL_"):
        settings.temporal_connect_config(load_settings())


def test_running_stack_is_found_through_the_state_folder() -> None:
    """Other commands on the machine use what `saga up` wrote down; what is set still wins."""
    folder = StateFolder.at(Path(".saga"))
    folder.remember(Addresses("127.0.0.1:25000", "default", None, "postgresql://a@b/c", "amqp://d"))
    found = load_settings()
    assert settings.temporal_connect_config(found)["target_host"] == "127.0.0.1:25000"
    assert (settings.database_url(found), settings.amqp_url(found)) == ("postgresql://a@b/c", "amqp://d")
    chosen = found.model_copy(update={"amqp_url": "amqp://mine"})
    assert settings.amqp_url(chosen) == "amqp://mine"


def test_usual_address_is_used_where_nothing_runs() -> None:
    """Without any setting and any stack, Temporal is where it usually is."""
    assert settings.temporal_connect_config(load_settings())["target_host"] == "localhost:7233"
    assert settings.database_url(load_settings()) is None
