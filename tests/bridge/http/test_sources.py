"""What may stand in webhooks.yaml, and what is said about the rest."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.http.sources import read_sources
from tests.bridge.http.endpoint import example_sources

GOOD = "scheme: saga\n    secrets: [env:A]\n    type: a.b"


def complaints(text: str) -> list[tuple[int, str, str]]:
    """Return line, code and message of each diagnostic."""
    found = read_sources("webhooks.yaml", text)
    assert not (found.diagnostics and found.by_name)
    return [(each.line, each.code, f"{each.message} | {each.hint}") for each in found.diagnostics]


def source(lines: str) -> str:
    """Return a file with one source, which begins in line 3."""
    return f"sources:\n  shop:\n    {lines}\n"


def test_read_sources_has_the_defaults_that_the_documents_state() -> None:
    """Five minutes, 256 KiB, no key, the whole body as data, and ids that are not signed are not trusted."""
    webhook_endpoint = read_sources("w", source(GOOD)).by_name["shop"]
    assert (webhook_endpoint.path, webhook_endpoint.secrets, webhook_endpoint.type.value) == (
        "/webhooks/shop",
        ("env:A",),
        "a.b",
    )
    assert (webhook_endpoint.tolerance, webhook_endpoint.max_body_bytes) == (timedelta(minutes=5), 256 * 1024)
    assert (webhook_endpoint.key, webhook_endpoint.data, webhook_endpoint.once_by_body) == (None, None, True)


def test_read_sources_reads_what_is_given() -> None:
    """Each key has its effect."""
    sources = example_sources()
    assert [sources["shop"].secrets, sources["small"].max_body_bytes] == [("env:SHOP", "env:SHOP_NEXT"), 100]
    assert [name for name in sources if sources[name].once_by_body] == ["shop", "git", "small", "lab", "lost"]
    text = source("scheme: stripe\n    secrets: file:/run/s\n    type: a\n    tolerance: 90s")
    assert read_sources("w", text).by_name["shop"].tolerance == timedelta(seconds=90)


@pytest.mark.parametrize("text", ["sources: {}", "sources: {}\n# sources:\n"])
def test_read_sources_allows_none(text: str) -> None:
    """A file without a source is in order."""
    assert read_sources("w", text).by_name == {}
    assert complaints(text) == []


@pytest.mark.parametrize(
    ("lines", "line", "code", "says"),
    [
        ("scheme: sage\n    secrets: [env:A]\n    type: a", 3, "bad-value", "did you mean 'saga'?"),
        ("secrets: [env:A]\n    type: a", 3, "missing-key", "'scheme'"),
        ("scheme: saga\n    type: a", 3, "missing-key", "'secrets'"),
        ("scheme: saga\n    secrets: [env:A]", 3, "missing-key", "'type'"),
        ("scheme: saga\n    secrets: []\n    type: a", 4, "out-of-range", "1 to 4 secrets"),
        ("scheme: saga\n    secrets: [env:A]\n    type: a b", 5, "bad-value", "words with dots"),
        ("scheme: saga\n    secrets: [env:A]\n    type: ${ body. }", 5, "bad-expression", ""),
        ("scheme: saga\n    secrets: [env:A]\n    type: a.${ input.x }", 5, "bad-expression", "no `input` here"),
        ("scheme: saga\n    secrets: [env:A]\n    type: a.${ bodi.x }", 5, "bad-expression", "did you mean `body`?"),
        (f"{GOOD}\n    key: ${{ now }}", 6, "bad-expression", "no `now` here"),
        (f"{GOOD}\n    data:\n      a: [1, '${{ steps.x.output }}']", 7, "bad-expression", "no `steps` here"),
        (f"{GOOD}\n    maxbody: 5", 6, "unknown-key", "did you mean 'max_body'?"),
        (f"{GOOD}\n    max_body: 1048577", 6, "out-of-range", "1,048,576"),
        (f"{GOOD}\n    max_body: 0", 6, "out-of-range", "between 1"),
        (f"{GOOD}\n    tolerance: 5m", 6, "conflicting-keys", "does not sign the time"),
        (f"{GOOD.replace('saga', 'stripe')}\n    tolerance: 25h", 6, "out-of-range", "at most a day"),
        (f"{GOOD.replace('saga', 'stripe')}\n    tolerance: 0s", 6, "bad-duration", "longer than nothing"),
        (f"{GOOD.replace('saga', 'stripe')}\n    trust_id: true", 6, "conflicting-keys", "signs the id"),
        (f"{GOOD}\n    trust_id: maybe", 6, "wrong-type", "true or false"),
    ],
)
def test_read_sources_says_what_is_wrong_and_where(lines: str, line: int, code: str, says: str) -> None:
    """Each mistake has its line, its code and its cure, and no source is taken from a file with one."""
    found = complaints(source(lines))
    assert [(each[0], each[1]) for each in found] == [(line, code)]
    assert says in found[0][2]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "source-empty"),
        ("[]", "wrong-type"),
        ("{}", "missing-key"),
        ("sources: []", "wrong-type"),
        ("sources: {a: 1}", "wrong-type"),
        ("source: {}", "unknown-key"),
        ("sources: {A b: {scheme: saga, secrets: [env:A], type: a}}", "bad-name"),
        ("sources: {../x: {scheme: saga, secrets: [env:A], type: a}}", "bad-name"),
    ],
)
def test_read_sources_refuses_another_shape(text: str, code: str) -> None:
    """Whatever the file holds, it ends in a diagnostic."""
    assert code in [each[1] for each in complaints(text)]


def test_read_sources_never_repeats_a_secret() -> None:
    """A secret itself in the file is reported without showing it on the terminal."""
    found = complaints(source("scheme: saga\n    secrets: [hunter2-hunter2-hunter2]\n    type: a"))
    assert [(each[0], each[1]) for each in found] == [(4, "bad-value")]
    assert "hunter2" not in found[0][2]
