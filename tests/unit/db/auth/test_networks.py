"""Who is where, and who shares limits."""

from ipaddress import ip_network

import pytest

from db.auth.networks import caller_network, is_within

NETWORKS = [ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")]


@pytest.mark.parametrize("ip", ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"])
def test_an_address_is_found_in_its_network_however_it_is_written(ip: str) -> None:
    assert is_within(NETWORKS, ip)


@pytest.mark.parametrize("ip", ["192.0.3.7", "::ffff:192.0.3.7", "2001:db9::1", "testclient", "", None])
def test_what_is_elsewhere_or_no_address_is_in_none(ip: str | None) -> None:
    assert not is_within(NETWORKS, ip)


def test_nobody_is_in_no_network() -> None:
    assert not is_within([], "192.0.2.7")


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_limits_are_those_of_an_address_or_of_what_one_subscriber_has(ip: str, network: str) -> None:
    assert caller_network(ip) == network
