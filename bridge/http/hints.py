"""What cures a refusal: the setting to look at, for the operator's log. The sender hears nothing of it. Pure.

The sentences are ours and hold nothing that the sender chose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bridge.http.headers import Headers
from bridge.http.signatures.scheme import Scheme
from bridge.http.signatures.schemes import SCHEMES

NO_SOURCE: Final = "no source in webhooks.yaml has this name"
_BY_KIND: Final[Mapping[str, str]] = {
    "stale": "compare the clocks, or raise `tolerance`",
    "from-the-future": "compare the clocks, or raise `tolerance`",
    "wrong-signature": "compare `secrets` with the sender's; a proxy may have changed the body",
    "too-many-signatures": "a sender signs with a few keys; this is none",
    "repeated-header": "a proxy may have added one; each comes once",
    "malformed-id": "the id is 1 to 200 visible characters in one line",
    "malformed-timestamp": "the time is in Unix seconds",
    "malformed-signature": "look at `scheme`: the signature is written in another way",
}
_MISSING: Final = "look at `scheme`; `hmac` and `token` take the name of any header"
_OF_HMAC: Final = "; look at `hmac`: `encoding`, `prefix` and `signed` are to be the sender's"


def hint_for(scheme: Scheme, headers: Headers, reason: str) -> str:
    """Return what to look at after a delivery was refused.

    Args:
        scheme: That of its source.
        headers: Those of the delivery.
        reason: As in `DeliveryRefusedError`.
    """
    kind = reason.partition(" ")[0]
    if kind == "missing-header":
        found = [other.name for other in SCHEMES.values() if other.header != scheme.header and _signs(other, headers)]
        return f"it looks like `scheme: {found[0]}`" if found else _MISSING
    hint = _BY_KIND.get(kind, "")
    return hint + _OF_HMAC if scheme.name == "hmac" and kind in ("wrong-signature", "malformed-signature") else hint


def _signs(scheme: Scheme, headers: Headers) -> bool:
    return headers.has(scheme.header)
