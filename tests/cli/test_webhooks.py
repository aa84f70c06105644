"""`saga webhooks`: who may send, and a signed delivery to try it out."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from bridge.http.headers import Headers
from bridge.http.sources import TOLERANCE, read_sources
from cli.commands.webhooks.list import command as list_command
from cli.commands.webhooks.sign import command as sign_command
from cli.exits import BadInputError, ReportedError
from cli.secrets import SecretMissingError
from cli.webhooks import load_sources
from tests.bridge.http.endpoint import BODIES, SOURCES
from tests.bridge.http.webhook_secrets import SECRETS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with definitions, sources of webhooks, and their secrets in the environment."""
    monkeypatch.chdir(tmp_path)
    for reference, secret in SECRETS.items():
        monkeypatch.setenv(reference.removeprefix("env:"), secret)
    definitions = tmp_path / "definitions"
    definitions.mkdir()
    (definitions / "webhooks.yaml").write_text(SOURCES, encoding="utf-8")
    return tmp_path


def call(command: click.Command, *arguments: str) -> Result:
    """Call a command."""
    return CliRunner().invoke(command, arguments)


def test_list_shows_sources_and_the_state_of_secrets(folder: Path) -> None:
    """One line a source; a secret that is missing or weak is named, none is shown."""
    result = call(list_command)
    lines = {line.split()[0]: line for line in result.output.splitlines()}
    assert lines["shop"].split()[1:4] == ["saga", "/webhooks/shop", "shop.${"]
    assert "env:SHOP (ok), env:SHOP_NEXT (ok)" in lines["shop"]
    assert "env:MISSING (secret-missing), env:WEAK (weak-secret)" in lines["lost"]
    assert not [secret for secret in SECRETS.values() if secret in result.output]


def test_list_prints_json(folder: Path) -> None:
    """The same for scripts."""
    documents = {document["name"]: document for document in json.loads(call(list_command, "--json").output)}
    assert documents["pay"] == {
        "name": "pay",
        "scheme": "stripe",
        "path": "/webhooks/pay",
        "type": "stripe.${ body.type }",
        "secrets": {"env:PAY": "ok"},
        "tolerance_seconds": 300.0,
        "max_body_bytes": 262144,
    }
    assert documents["shop"]["tolerance_seconds"] is None


def test_list_says_that_there_is_none(folder: Path) -> None:
    """A missing file is a file without sources."""
    (folder / "definitions" / "webhooks.yaml").unlink()
    assert "no source of webhooks" in call(list_command).output
    assert json.loads(call(list_command, "--json").output) == []


def test_load_sources_shows_what_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each mistake with its line, and no source is taken."""
    file = folder / "definitions" / "webhooks.yaml"
    file.write_text("sources:\n  shop:\n    scheme: sage\n", encoding="utf-8")
    with pytest.raises(ReportedError):
        load_sources()
    shown = capsys.readouterr().err
    assert f"{file.relative_to(folder)}:3:13" in shown
    assert "did you mean 'saga'?" in shown
    file.unlink()
    file.mkdir()
    with pytest.raises(BadInputError, match=r"webhooks\.yaml cannot be read"):
        load_sources()


@pytest.mark.parametrize("source", ["shop", "standard", "git", "pay", "store", "chat", "custom"])
def test_sign_prints_a_delivery_that_verifies(folder: Path, source: str) -> None:
    """The line holds all headers and the file, and never the secret."""
    body = folder / "it's a body.json"
    body.write_bytes(BODIES[source])
    result = call(sign_command, source, str(body), "--id", "d-9")
    assert not [secret for secret in SECRETS.values() if secret in result.output]
    words = shlex.split(result.output.replace("\\\n", ""))
    assert words[:3] == ["curl", "-sS", f"http://127.0.0.1:8080/webhooks/{source}"]
    assert words[-2:] == ["--data-binary", f"@{body}"]
    headers = dict(word.split(": ", 1) for word in words if ": " in word)
    assert headers["content-type"] == "application/json"
    scheme, reference = (chosen := load_sources()[source]).scheme, chosen.secrets[0]
    received, now = Headers.of(headers), datetime.now(UTC)
    scheme.verify(received, BODIES[source], [scheme.key(SECRETS[reference])], now, chosen.tolerance)
    identity = scheme.identify(received, BODIES[source], json.loads(BODIES[source]))
    by_body = hashlib.sha256(BODIES[source]).hexdigest()
    assert identity.id == {"pay": "evt_1", "store": by_body, "chat": by_body}.get(source, "d-9")


@pytest.mark.integration
@pytest.mark.parametrize("source", ["lab", "bearer", "filed"])
def test_sign_leaves_a_token_to_the_shell(folder: Path, source: str) -> None:
    """The line names the variable or the file; what the shell makes of it is the header."""
    file = folder / "it's $HOME"
    file.write_text(f"{SECRETS['env:SHOP']}\n", encoding="utf-8")
    sources = folder / "definitions" / "webhooks.yaml"
    filed = f'  filed: {{scheme: gitlab, secrets: ["file:{file}"], type: a}}\n'
    sources.write_text(f"{SOURCES}{filed}", encoding="utf-8")
    body = folder / "body.json"
    body.write_bytes(b"{}")
    result = call(sign_command, source, str(body), "--id", "d-9")
    assert result.exit_code == 0 and not [secret for secret in SECRETS.values() if secret in result.output]
    words = f"curl() {{ printf '%s\\n' \"$@\"; }}\n{result.output}"
    ran = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=True)  # noqa: S603, S607  # our own
    headers = dict(line.split(": ", 1) for line in ran.stdout.splitlines() if ": " in line)
    scheme = load_sources()[source].scheme
    scheme.verify(Headers.of(headers), b"{}", [scheme.key(SECRETS["env:SHOP"])], datetime.now(UTC), TOLERANCE)


def test_sign_explains_what_is_missing(folder: Path) -> None:
    """No such source, no such file, no such secret: each in a sentence."""
    body = folder / "body.json"
    body.write_bytes(b"{}")
    errors = [
        call(sign_command, *arguments).exception
        for arguments in (("shp", str(body)), ("shop", "none.json"), ("lost", str(body)))
    ]
    assert [type(error) for error in errors] == [BadInputError, BadInputError, SecretMissingError]
    assert "did you mean 'shop'?" in str(errors[0])
    assert "none.json cannot be read" in str(errors[1])


def test_shipped_sources_are_none() -> None:
    """Nobody can send webhooks to a fresh installation, and the example in its comments is in order."""
    text = (Path(__file__).parents[2] / "definitions" / "webhooks.yaml").read_text(encoding="utf-8")
    shipped = read_sources("webhooks.yaml", text)
    assert (shipped.by_name, shipped.diagnostics) == ({}, ())
    example = [line.removeprefix("# ") for line in text[text.index("# sources:") :].splitlines() if line[:1] == "#"]
    found = read_sources("example", "\n".join(example))
    assert found.diagnostics == ()
    assert {source.scheme.name for source in found.by_name.values()} == {"saga", "github"}
