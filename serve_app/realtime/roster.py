"""Which connections of this process are on the durable roster: those in channels whose namespace asks for events.

Called when a subscription becomes live or ends, never per publication; for other namespaces it is one look at an empty
tuple.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Protocol

from db.session_events.kinds import OF_CONNECTIONS, wanted
from db.session_events.store import Change
from serve_app.realtime.peer import Peer
from serve_app.realtime.subscription import Subscription


class Ledger(Protocol):
    """Where changes are written down, in order."""

    def add(self, change: Change) -> None:
        """Queue one change."""


class Roster:
    """Turns what happens to connections into changes of the roster."""

    def __init__(self, ledger: Ledger, wall: Callable[[], float]) -> None:
        self._ledger = ledger
        self._wall = wall

    def attached(self, peer: Peer, sub: Subscription) -> None:
        """A subscription is live."""
        if not sub.namespace.session_events:
            return
        bits = _bits(sub.namespace.session_events)
        if peer.roster is None:
            peer.roster = {}
        if bits & OF_CONNECTIONS and "" not in peer.roster:
            peer.roster[""] = bits & OF_CONNECTIONS
            self._ledger.add(self._enters(peer, "", peer.roster[""]))
        bits &= ~OF_CONNECTIONS
        if bits and sub.channel not in peer.roster:
            peer.roster[sub.channel] = bits
            self._ledger.add(self._enters(peer, sub.channel, bits))

    def detached(self, peer: Peer, channel: str) -> None:
        """A subscription ended, or never became live."""
        if peer.roster is not None and channel in peer.roster:
            self._ledger.add(self._leaves(peer, channel, peer.roster.pop(channel), 0))

    def closed(self, peer: Peer, code: int) -> None:
        """The connection ended. `code` 0: its socket was lost."""
        on_it, peer.roster = peer.roster, None
        if on_it:
            bits = on_it.pop("", 0)
            for channel, of_channel in on_it.items():
                self._ledger.add(self._leaves(peer, channel, of_channel, code))
            if bits:
                self._ledger.add(self._leaves(peer, "", bits, code))

    def standing(self, peers: Iterable[Peer]) -> Iterator[Change]:
        """Everybody who is on the roster now, as if they entered: for a new boot id."""
        for peer in peers:
            for channel, bits in (peer.roster or {}).items():
                yield self._enters(peer, channel, bits)

    def _enters(self, peer: Peer, channel: str, bits: int) -> Change:
        connection = peer.connection
        sub = connection.subscriptions.get(channel) if channel else None
        # Only a leave that subscribers see needs to say more than who it was.
        shown = sub is not None and sub.namespace.join_leave
        return Change(
            True,
            connection.client,
            channel,
            connection.user,
            connection.session,
            bits,
            int(self._wall() * 1000),
            conn_info=sub.info.conn_info if shown and sub is not None else b"",
            chan_info=sub.info.chan_info if shown and sub is not None else b"",
        )

    def _leaves(self, peer: Peer, channel: str, bits: int, code: int) -> Change:
        connection = peer.connection
        now = int(self._wall() * 1000)
        return Change(False, connection.client, channel, connection.user, connection.session, bits, now, code)


@lru_cache(maxsize=256)
def _bits(names: tuple[str, ...]) -> int:
    return wanted(names)
