"""The settings, and the only place that reads the environment.

Ours are `SAGA_*` variables and, below them, `saga.toml` in the working directory. Temporal's are the `TEMPORAL_*`
variables and the configuration file of Temporal's own command line, so that both programs always mean the same
server. What is set nowhere is looked for in the state folder, where a running `saga up` has written what it
started.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from activities.addresses import parse_networks
from cli.stack.folder import read_addresses
from contracts.errors import PermanentError
from workflows.language.durations import parse_duration

if TYPE_CHECKING:
    from temporalio.envconfig import ClientConfigProfile, ClientConnectConfig

    from cli.stack.stack import StackSettings

FILE = "saga.toml"
PREFIX = "SAGA_"


def _duration(value: object) -> object:
    """Read a duration as definitions spell it, such as `24h`; what is none is left to be refused."""
    return timedelta(seconds=parse_duration(value)) if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]


Grace = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta(0), le=timedelta(hours=1))]


class BadSettingsError(PermanentError):
    """The settings cannot be used."""

    code = "bad-settings"


class Settings(BaseSettings):
    """What can be set: in `saga.toml` by a field's name, in the environment by `SAGA_` and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, toml_file=FILE, extra="forbid", frozen=True)

    database_url: str | None = Field(default=None, repr=False, pattern=r"^postgres(ql)?://")
    """The PostgreSQL server, `postgresql://user:password@host:port/database`."""

    amqp_url: str | None = Field(default=None, repr=False, pattern=r"^amqps?://[^,\s]+(,\s*amqps?://[^,\s]+)*$")
    """The RabbitMQ broker, `amqp://user:password@host:port/vhost`; several nodes of a cluster, separated by commas."""

    amqp_management_url: str | None = Field(default=None, pattern=r"^https?://[^\s@]+$")
    """RabbitMQ's management interface, `http://host:15672`; none = at the usual port of the broker's hosts."""

    task_queue: str = Field(default="saga", min_length=1)
    """The Temporal task queue on which runs start."""

    grace: Grace = timedelta(seconds=10)
    """How long actions that run may take to end when their worker is stopped; then another worker goes on with them."""

    deployment_name: str | None = Field(default=None, pattern=r"^[^.]+$")
    """The Temporal worker deployment that workers are releases of; none = they take part in no deployment."""

    build_id: str | None = Field(default=None, min_length=1)
    """Which release of the deployment a worker is; none = the version of Sagawright."""

    definitions: Path = Path("definitions")
    """The folder of the definitions."""

    state_dir: Path = Path(".saga")
    """The folder in which the embedded stack keeps its state."""

    prefetch: int = Field(default=50, ge=1, le=65_535)
    """How many unacknowledged events the bridge takes at once, in each priority class."""

    dedup_window: Duration = timedelta(hours=24)
    """How long the id of an event is remembered, so that a repetition is dropped."""

    event_retention: Duration = timedelta(days=30)
    """How long an event stays in the log before its day is archived."""

    state_retention: Duration = timedelta(days=180)
    """How long what PostgreSQL knows of an ended run stays, where its definition's `keep` does not say."""

    dead_letter_retention: Duration = timedelta(days=7)
    """How long a dead letter is kept."""

    event_form: Literal["saga", "cloudevents", "cloudevents-binary"] = "saga"
    """How events that runs and our commands publish are written."""

    archive: str = ""
    """Where old days of the event log go: a folder, or `s3://bucket/prefix`; empty = `archive` in the state folder."""

    http_host: str = "127.0.0.1"
    """The address at which the bridge takes webhooks."""

    http_port: int | None = Field(default=None, ge=0, le=65_535)
    """The port at which the bridge takes webhooks; none = it takes none."""

    metrics_host: str = "127.0.0.1"
    """The address of the Prometheus endpoint."""

    metrics_port: int | None = Field(default=None, ge=0, le=65_535)
    """The port of the Prometheus endpoint; none = there is none."""

    allowed_networks: str = ""
    """Networks that actions may reach although they are not public, separated by commas: `10.0.0.0/8, ::1/128`."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """From which level on log entries are written."""

    log_format: Literal["auto", "console", "json"] = "auto"
    """How log entries look; `auto` is `console` on a terminal and `json` elsewhere."""

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        parse_networks(text)
        return text

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment first, then the file; nothing else."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        BadSettingsError: A value is not allowed, `saga.toml` cannot be read, or it has a key that does not exist.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise BadSettingsError(_in_words(error)) from error
    except (SettingsError, ValueError, OSError) as error:
        raise BadSettingsError(f"{FILE}: {error}") from error


def temporal_connect_config(settings: Settings) -> ClientConnectConfig:
    """Return the keyword arguments of `Client.connect`: address, namespace, key, certificates.

    Without an address from Temporal's own settings it is the one of the stack that runs in the state folder, and
    without such a stack the usual one.

    Raises:
        BadSettingsError: Temporal's configuration file or variables cannot be understood.
    """
    profile = _temporal_profile()
    config = profile.to_client_connect_config()
    found = read_addresses(settings.state_dir)
    config.setdefault("target_host", found.temporal if found else "localhost:7233")
    config.setdefault("namespace", "default")
    return config


def stack_settings(settings: Settings, *, ui: bool = True) -> StackSettings:
    """Return how to run the stack: what is set is given to it, the rest it finds or starts.

    Raises:
        BadSettingsError: Temporal's configuration file or variables cannot be understood.
    """
    from cli.stack.stack import StackSettings  # noqa: PLC0415  # only `saga up` pays for it

    profile = _temporal_profile()
    return StackSettings(
        settings.state_dir,
        temporal_address=profile.address,
        namespace=profile.namespace or "default",
        database_url=settings.database_url,
        amqp_url=settings.amqp_url,
        ui=ui,
    )


def database_url(settings: Settings) -> str | None:
    """Return the PostgreSQL server that is set, else the running stack's; None where there is neither."""
    found = read_addresses(settings.state_dir)
    return settings.database_url or (found.database_url if found else None)


def amqp_url(settings: Settings) -> str | None:
    """Return the RabbitMQ broker that is set, else the running stack's; None where there is neither."""
    found = read_addresses(settings.state_dir)
    return settings.amqp_url or (found.amqp_url if found else None)


def _temporal_profile() -> ClientConfigProfile:
    from temporalio.envconfig import ClientConfigProfile  # noqa: PLC0415  # a third of a second for those who need it

    try:
        return ClientConfigProfile.load()
    except (RuntimeError, ValueError, OSError) as error:
        raise BadSettingsError(f"Temporal's own settings (TEMPORAL_* or its configuration file): {error}") from error


def _in_words(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(part) for part in problem["loc"])
        said = problem["msg"].removeprefix("Value error, ")
        what = "there is no such setting" if problem["type"] == "extra_forbidden" else said
        lines.append(f"{PREFIX}{name.upper()} (or {name} in {FILE}): {what}")
    return "\n".join(lines)
