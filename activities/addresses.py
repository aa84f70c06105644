"""Which network addresses a definition may reach: the public ones, and what the operator allows besides.

A URL in a definition, an event or a redirect is written by others. Without this rule it could name the worker's own
machine, the metadata service of a cloud, or a neighbour behind the firewall (server-side request forgery). The rule
is a list of what is not public (IANA's special-purpose registries), and for IPv6 the other way round: only global
unicast passes, without the ranges that wrap an IPv4 address.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PUBLIC_IPV6: Final = IPv6Network("2000::/3")

_REFUSED: Final[tuple[tuple[str, str], ...]] = (
    ("0.0.0.0/8", "this host"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by a carrier (CGNAT)"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "6to4 relay"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "this host"),
    ("::1/128", "loopback"),
    ("::ffff:0:0/96", "IPv4 wrapped in IPv6"),
    ("64:ff9b::/96", "NAT64"),
    ("64:ff9b:1::/48", "NAT64"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("ff00::/8", "multicast"),
    ("2001::/32", "Teredo"),
    ("2001::/23", "protocol assignments"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("3fff::/20", "documentation"),
)
_NETWORKS: Final = tuple((ip_network(text), reason) for text, reason in _REFUSED)


def refusal(text: str, allowed: Iterable[Network] = ()) -> str | None:
    """Return why the address `text` is not reached, or None when it may be.

    Args:
        text: An IPv4 or IPv6 address, with or without a zone.
        allowed: Networks that may be reached although they are not public.
    """
    address = ip_address(text)
    if any(_holds(network, address) for network in allowed):
        return None
    for network, reason in _NETWORKS:
        if _holds(network, address):
            return reason
    if isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6:
        return "not global unicast"
    return None


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read networks separated by commas, such as `127.0.0.0/8, ::1/128`.

    Raises:
        ValueError: One is no network.
    """
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _holds(network: Network, address: Address) -> bool:
    return network.version == address.version and address in network
