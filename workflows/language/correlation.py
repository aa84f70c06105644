"""What ties an event to a step that waits for it: fields and values, as entries of a search attribute.

A `receive` step publishes entries such as `invoice=4711`, a trigger looks for them; both spell them here. Temporal's
query language cannot take every character (some stores even answer a quotation mark as if they were away), so what is
not plain is written in percent, and a long value as its digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from urllib.parse import quote

from contracts.json import Json
from workflows.language.expressions.template import rendering_of

_PLAIN = " -_.:/@+,;()#"
_LONGEST = 500


def correlation_entries(fields: Mapping[str, Json]) -> list[str]:
    """Return `field=value` for each field, sorted by field; equal fields and values give equal entries."""
    return [f"{quote(field, safe=_PLAIN)}={_spelt(rendering_of(fields[field]))}" for field in sorted(fields)]


def _spelt(value: str) -> str:
    plain = quote(value, safe=_PLAIN, errors="surrogatepass")
    return plain if len(plain) <= _LONGEST else f"sha256:{hashlib.sha256(plain.encode()).hexdigest()}"
