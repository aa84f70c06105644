"""The schemes that need no settings; a new one is its file and a line here.

A source configures the others itself, by `bridge/http/configured.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bridge.http.signatures.github import GitHub
from bridge.http.signatures.keyed_hash import SHOPIFY, SLACK
from bridge.http.signatures.plain import Plain
from bridge.http.signatures.scheme import Scheme
from bridge.http.signatures.shared_token import GITLAB
from bridge.http.signatures.standard import Standard
from bridge.http.signatures.stripe import Stripe

_ALL: Final[tuple[Scheme, ...]] = (Plain(), Standard(), GitHub(), Stripe(), SHOPIFY, SLACK, GITLAB)

SCHEMES: Final[Mapping[str, Scheme]] = MappingProxyType({scheme.name: scheme for scheme in _ALL})
"""By the name that `scheme:` has."""
