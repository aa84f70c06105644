"""Where telemetry goes, as the standard `OTEL_*` variables say; for traces and metrics alike.

An endpoint (`OTEL_EXPORTER_OTLP_ENDPOINT`, or the one of traces or metrics alone) or `OTEL_TRACES_EXPORTER=otlp` (and
`OTEL_METRICS_EXPORTER`) sends them as OTLP over HTTP, `console` prints them on stderr. That nothing set means nothing
is sent is our choice. Headers, time-outs, certificates, samplers and batching are read by OpenTelemetry itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from cli.settings import BadSettingsError

Signal: TypeAlias = Literal["traces", "metrics"]

_EXPORTERS: Final = ("otlp", "console", "none")
_SPOKEN: Final = "http/protobuf"


def chosen_exporter(environment: Mapping[str, str], signal: Signal) -> str | None:
    """Return `otlp` or `console`, or None: nothing is exported.

    Raises:
        BadSettingsError: The variables ask for an exporter or a protocol that there is not.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    asked = environment.get(variable, "").strip().lower()
    exporter = asked or ("otlp" if any(environment.get(name) for name in _names("ENDPOINT", signal)) else "none")
    if exporter not in _EXPORTERS:
        raise BadSettingsError(f"{variable} is {asked!r}; there are: {', '.join(_EXPORTERS)}.")
    if exporter == "otlp":
        _require_http(environment, signal)
    return None if exporter == "none" else exporter


def service_name() -> str:
    """Return `OTEL_SERVICE_NAME`, or `service.name` in `OTEL_RESOURCE_ATTRIBUTES`, or the product's name."""
    from opentelemetry.sdk.resources import OTELResourceDetector  # noqa: PLC0415  # only who exports pays for it

    return str(OTELResourceDetector().detect().attributes.get("service.name") or "sagawright")


def _require_http(environment: Mapping[str, str], signal: Signal) -> None:
    name = next((name for name in _names("PROTOCOL", signal) if environment.get(name)), None)
    if name is not None and environment[name].strip() != _SPOKEN:
        raise BadSettingsError(f"{name} is {environment[name]!r}; {signal} are sent by {_SPOKEN} only.")


def _names(what: str, signal: Signal) -> tuple[str, str]:
    """Return the variables that say it, the more particular first."""
    return f"OTEL_EXPORTER_OTLP_{signal.upper()}_{what}", f"OTEL_EXPORTER_OTLP_{what}"
