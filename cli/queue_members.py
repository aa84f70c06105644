"""Asks RabbitMQ's management interface on which nodes our queues are: AMQP itself does not tell.

The interface is a plugin, so it may be absent, and an account may have no right to it: then it is unknown, which is
said and is no failure. It is asked at `SAGA_AMQP_MANAGEMENT_URL`, else at the usual port of each host of
`SAGA_AMQP_URL`, with the same account, and never in the clear where AMQP is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import httpx

from bridge.amqp.connection import nodes_of
from bridge.topology.members import QueueMembers, members_on
from cli.settings import Settings

_SECONDS: Final = 5.0
_MOST_BYTES: Final = 32 * 1024 * 1024
_PLAIN_PORT, _TLS_PORT = 15672, 15671


class _UntoldError(Exception):
    """It does not tell; the text says why."""


async def members_of(settings: Settings, amqp_url: str, queues: Iterable[str]) -> QueueMembers:
    """Return on which nodes these queues of the URL's virtual host are; unknown where nobody tells."""
    wanted, first = set(queues), urlsplit(nodes_of(amqp_url)[0])
    vhost = unquote(first.path[1:]) or "/"
    account = (unquote(first.username or "guest"), unquote(first.password or "guest"))
    reasons: list[str] = []
    for place in places(settings.amqp_management_url, amqp_url):
        async with httpx.AsyncClient(base_url=place, auth=account, timeout=_SECONDS, trust_env=False) as client:
            try:
                nodes = await _asked(client, "/api/nodes?columns=name")
                found = await _asked(client, f"/api/queues/{quote(vhost, safe='')}?columns=name,members")
                return members_on(_names(nodes), {one["name"]: one["members"] for one in _quorum(found, wanted)})
            except _UntoldError as error:
                reasons.append(f"{place}: {error}")
    return QueueMembers(unknown="; ".join(reasons))


def places(given: str | None, amqp_url: str) -> tuple[str, ...]:
    """Return where the interface may be: as given, else beside each node."""
    if given is not None:
        return (given.rstrip("/"),)
    nodes = [urlsplit(node) for node in nodes_of(amqp_url)]
    found = [_beside(node.scheme, node.hostname or "localhost") for node in nodes]
    return tuple(dict.fromkeys(found))


def _beside(scheme: str, host: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"https://{shown}:{_TLS_PORT}" if scheme == "amqps" else f"http://{shown}:{_PLAIN_PORT}"


async def _asked(client: httpx.AsyncClient, path: str) -> Sequence[Any]:
    body = bytearray()
    try:
        async with client.stream("GET", path, headers={"Accept-Encoding": "identity"}) as answer:
            if answer.status_code != httpx.codes.OK:
                raise _UntoldError(f"answers {answer.status_code}")
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise _UntoldError("answers too much")
        found = httpx.Response(httpx.codes.OK, content=bytes(body)).json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _UntoldError(f"does not answer ({type(error).__name__})") from error
    except (ValueError, RecursionError) as error:
        raise _UntoldError("does not answer as RabbitMQ does") from error
    if not isinstance(found, list):
        raise _UntoldError("does not answer as RabbitMQ does")
    return found


def _names(nodes: Sequence[Any]) -> list[str]:
    return [one["name"] for one in nodes if isinstance(one, dict) and isinstance(one.get("name"), str)]


def _quorum(queues: Sequence[Any], wanted: set[str]) -> list[dict[str, Any]]:
    """Those that are ours and have members."""
    dicts = [one for one in queues if isinstance(one, dict) and isinstance(one.get("members"), list)]
    return [one for one in dicts if one.get("name") in wanted]
