"""Networks from which something is allowed."""

from collections.abc import Iterable
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
