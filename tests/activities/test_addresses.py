"""Which addresses are refused."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis.strategies import ip_addresses

from activities.addresses import parse_networks, refusal

REFUSED = [
    "0.0.0.0",  # noqa: S104 - an address to be refused
    "0.1.2.3",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.0.0.53",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "64:ff9b:1:ffff::a00:1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2001:db8:ffff::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2002:c0a8:101::",
    "2002:808:808::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "8000::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fec0::1",
    "ff01::1",
    "ff02::1",
    "ff02::fb",
    "ff05::2",
    "ff0e::1",
    "ffff::1",
    "fe00::1",
    "e000::1",
]

REACHED = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "192.167.255.255",
    "192.169.0.1",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "2a00:1450:4001:81b::200e",
    "2003::1",
    "3ffe::1",
]


@pytest.mark.parametrize("address", REFUSED)
def test_refusal_of_addresses_that_are_not_public(address: str) -> None:
    """Each special address has a reason against it."""
    assert refusal(address)


@pytest.mark.parametrize("address", REACHED)
def test_refusal_lets_public_addresses_pass(address: str) -> None:
    """Neighbours of the special ranges are reached."""
    assert refusal(address) is None


@given(ip_addresses())
def test_refusal_covers_what_python_calls_not_global(address: IPv4Address | IPv6Address) -> None:
    """The standard library's own list has nothing that ours lacks."""
    assert address.is_global or refusal(str(address)) is not None


def test_refusal_names_the_reason() -> None:
    """The reason is a word that a person understands."""
    assert refusal("127.0.0.1") == "loopback"
    assert refusal("169.254.169.254") == "link-local"
    assert refusal("64:ff9b::a00:1") == "NAT64"
    assert refusal("2001::1") == "Teredo"
    assert refusal("5f00::1") == "not global unicast"


def test_refusal_knows_what_the_operator_allows() -> None:
    """An allowed network opens itself and nothing else, also not in a wrapping."""
    allowed = parse_networks("127.0.0.0/8, fd00::/16")
    assert refusal("127.0.0.1", allowed) is None
    assert refusal("fd00::5", allowed) is None
    assert refusal("10.0.0.1", allowed) == "private"
    assert refusal("::ffff:127.0.0.1", allowed) == "IPv4 wrapped in IPv6"


def test_parse_networks_refuses_what_is_none() -> None:
    """A mistake in a setting is no silent hole."""
    assert parse_networks(" ") == ()
    with pytest.raises(ValueError, match="localhost"):
        parse_networks("localhost")
    with pytest.raises(ValueError, match="host bits"):
        parse_networks("10.0.0.1/8")
