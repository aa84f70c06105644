"""The question by which a sender finds out whether an address is ours: Slack's `url_verification`.

It is answered only where the source asks for it, and only once it was found to be signed: whoever reflects what
strangers send does their work for them. It becomes no event.

Source: https://api.slack.com/events/url_verification
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bridge.http.errors import DeliveryUnusableError
from contracts.json import Json

_TYPE: Final = "url_verification"
_TEXT: Final = re.compile(r"[\x21-\x7e]{1,500}")


@dataclass(frozen=True, slots=True)
class Challenge:
    """A question; its text is the answer."""

    text: str


def challenge_in(document: Json) -> Challenge | None:
    """Return the question that a verified body asks, or None where it is an ordinary delivery.

    Raises:
        DeliveryUnusableError: It asks, and there is nothing that could be answered.
    """
    if not isinstance(document, dict) or document.get("type") != _TYPE:
        return None
    text = document.get("challenge")
    if not isinstance(text, str) or _TEXT.fullmatch(text) is None:
        raise DeliveryUnusableError("`challenge` must be a text of 1 to 500 visible characters.")
    return Challenge(text)
