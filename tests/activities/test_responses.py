"""What statuses, bodies and Retry-After mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from activities.problems import PermanentProblemError, TemporaryProblemError
from activities.responses import Reply, retry_after, unexpected

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def reply(status: int = 200, content: bytes = b"", **headers: str) -> Reply:
    """Return an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, httpx.Headers(named), content, "utf-8", "https://crm.example/a")


@pytest.mark.parametrize(
    ("status", "kind", "again", "outcome"),
    [
        (302, "communication", False, "failed"),
        (400, "validation", False, "failed"),
        (401, "authentication", False, "failed"),
        (403, "authorization", False, "failed"),
        (404, "rejected", False, "failed"),
        (408, "timeout", True, "unknown"),
        (409, "rejected", False, "failed"),
        (410, "rejected", False, "failed"),
        (418, "rejected", False, "failed"),
        (422, "validation", False, "failed"),
        (425, "communication", True, "failed"),
        (429, "communication", True, "failed"),
        (499, "rejected", False, "failed"),
        (500, "communication", True, "unknown"),
        (502, "communication", True, "unknown"),
        (503, "communication", True, "failed"),
        (504, "timeout", True, "unknown"),
        (599, "communication", True, "failed"),
    ],
)
def test_unexpected_maps_each_status(status: int, kind: str, again: bool, outcome: str) -> None:
    """Type, retry and outcome follow from the status."""
    error = unexpected(reply(status, b"no"), NOW)
    assert (error.problem.type, isinstance(error, TemporaryProblemError), error.problem.outcome) == (
        kind,
        again,
        outcome,
    )
    assert error.problem.status == status
    assert error.problem.to_json()["response"] == "no"


@pytest.mark.parametrize(
    ("value", "delay"),
    [
        ("0", timedelta(0)),
        ("120", timedelta(minutes=2)),
        ("999999", timedelta(days=1)),
        ("9" * 5000, timedelta(days=1)),
        ("Sun, 01 Mar 2026 12:00:30 GMT", timedelta(seconds=30)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("Sun, 01 Mar 2037 11:00:00 GMT", timedelta(days=1)),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
    ],
)
def test_retry_after_reads_seconds_and_dates(value: str, delay: timedelta | None) -> None:
    """Nonsense is no delay, and nothing waits longer than a day."""
    assert retry_after(httpx.Headers([(b"retry-after", value.encode())]), NOW) == delay


@pytest.mark.parametrize(
    ("content", "kind", "body"),
    [
        (b"", "application/json", None),
        (b'{"a":1}', "application/json; charset=utf-8", {"a": 1}),
        (b"[1]", "application/problem+json", [1]),
        (b'{"a":1}', "text/plain", '{"a":1}'),
        (b"\xff", "text/plain", "�"),
    ],
)
def test_body_follows_the_content_type(content: bytes, kind: str, body: object) -> None:
    """JSON is parsed where the answer says that it is JSON."""
    assert reply(200, content, content_type=kind).body() == body


@pytest.mark.parametrize("content", [b"{", b"NaN", b"\xff\xfe\x00", b"[" * 100_000])
def test_body_refuses_json_that_is_none(content: bytes) -> None:
    """The request was carried out all the same: the outcome is unknown."""
    with pytest.raises(PermanentProblemError) as caught:
        reply(200, content, content_type="application/json").body()
    assert caught.value.problem.outcome == "unknown"


def test_shown_headers_leave_out_credentials() -> None:
    """Cookies do not belong into a history."""
    assert reply(set_cookie="session=1", x_a="b").shown_headers() == {"x-a": "b"}
