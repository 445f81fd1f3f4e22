"""Whose word about the caller's address is believed, and how a HAProxy of ours proves that it is one.

Every node's HAProxy passes requests on to replicas of any node, so a replica cannot tell it by its address.
"""

import hashlib
import hmac
from collections.abc import Iterable
from ipaddress import IPv4Network, ip_address, ip_network

from cluster.settings import Settings

TOKEN_DIGITS = 32
"""128 bits."""

KEPT_ADDRESSES = 1_024
"""Addresses of which a process remembers whether they are a proxy's: those are few, and ask with every request."""


def trusted(settings: Settings) -> list[str]:
    """Networks of proxies: peers of our own, and the balancers that HAProxy believes."""
    return list(dict.fromkeys(_written(settings.trusted_proxies + settings.forwarded_for_from)))


def token(settings: Settings) -> str:
    """What our HAProxys prove themselves with, the same on all nodes; empty without a SECRET_KEY."""
    key = settings.secret_key.get_secret_value()
    return hmac.new(key.encode(), b"mobula proxy", hashlib.sha256).hexdigest()[:TOKEN_DIGITS] if key else ""


class Networks:
    """Addresses and networks, and whether an address is in one of them."""

    def __init__(self, given: Iterable[str]) -> None:
        self._networks = [ip_network(text, strict=False) for text in given]
        self._known: dict[str, bool] = {}

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, str):
            return False
        known = self._known.get(address)
        if known is None:
            try:
                parsed = ip_address(address)
                known = any(parsed in network for network in self._networks)
            except ValueError:
                known = False
            if len(self._known) < KEPT_ADDRESSES:  # callers' own addresses must not fill memory
                self._known[address] = known
        return known


def _written(given: Iterable[str]) -> Iterable[str]:
    """Each network, and as who listens for both kinds of addresses sees it (`::ffff:10.0.0.5`)."""
    for text in given:
        network = ip_network(text, strict=False)
        yield str(network)
        if isinstance(network, IPv4Network):
            yield f"::ffff:{network.network_address}/{96 + network.prefixlen}"
