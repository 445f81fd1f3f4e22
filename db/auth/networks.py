"""Networks from which something is allowed, and whose limits an address shares."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address


def is_within(networks: Iterable[IPv4Network | IPv6Network], ip: str | None) -> bool:
    """Whether an address is in one of the networks, also when it is IPv4 written as IPv6. What is none is nowhere."""
    try:
        address = ip_address(ip or "")
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


@lru_cache(maxsize=1_024)
def caller_network(ip: str) -> str:
    """Whose limits an address shares: its own (IPv4, also written as IPv6), or those of its /64 (IPv6).

    A /64 is the least that a subscriber gets, who has all of its addresses to call from. For limits only: what is
    written down, and what lists of networks are compared with, is the address.
    """
    try:
        address = ip_address(ip)
    except ValueError:
        return ip
    if not isinstance(address, IPv6Address):
        return ip
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))
