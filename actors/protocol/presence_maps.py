"""Presence as maps: `$clients:<channel>` has a key for each connection in a channel, `$users:<channel>` for each user.

Such a channel is a view of another one's presence: nobody publishes into it, and it lives where its channel lives.
"""

from typing import Final, NamedTuple

from actors.protocol.frames import TYPE_MAP_CLIENTS, TYPE_MAP_USERS
from actors.protocol.namespace import Namespace
from actors.protocol.namespace_groups import MapOptions

CLIENTS_PREFIX: Final = "$clients:"
USERS_PREFIX: Final = "$users:"

RESERVED: Final = ("clients", "users")
"""No namespaces: their private channels would be called like presence."""

OPTIONS: Final = MapOptions(mode="ephemeral", stream_size=1000, stream_ttl_s=60, meta_ttl_s=60)
"""Who lost the connection reads all of it again; changes are kept for gaps between two processes of ours only."""

_PREFIXES: Final = (CLIENTS_PREFIX, USERS_PREFIX)


class PresenceMap(NamedTuple):
    """Which presence a channel shows."""

    type: int
    """The subscription type of the protocol: 2 for connections, 3 for users."""
    channel: str
    """Whose presence it is."""


def parse(channel: str) -> PresenceMap | None:
    """What a name says, if it is one of presence as a map."""
    if not channel.startswith(_PREFIXES):
        return None
    if channel.startswith(CLIENTS_PREFIX):
        return PresenceMap(TYPE_MAP_CLIENTS, channel.removeprefix(CLIENTS_PREFIX))
    return PresenceMap(TYPE_MAP_USERS, channel.removeprefix(USERS_PREFIX))


def rules_of(namespace: Namespace) -> Namespace:
    """The rules under which presence of a namespace's channels is a map: read-only, and without presence of its own."""
    return Namespace(
        name=namespace.name,
        subscription_type="map",
        map=OPTIONS,
        allow_channel_compaction=namespace.allow_channel_compaction,
        subscribe_rate=namespace.subscribe_rate,
        join_leave_interval_ms=namespace.join_leave_interval_ms,
        join_leave_limit=namespace.join_leave_limit,
        user_leave_delay_ms=namespace.user_leave_delay_ms,
    ).with_stream_of_map()
