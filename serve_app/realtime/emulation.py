"""Connections whose client writes by HTTP requests of their own, because its stream only carries replies."""

import asyncio
from typing import Final

from serve_app.realtime.peer import Peer

ENDED_S: Final = 5.0
"""A session that we have closed is known for this long: what its client had sent by then crosses our disconnect push,
and must not be answered with 404, for which SDKs leave at once and come back, whatever the push would have said."""


class EmulatedSessions:
    """The emulated sessions of one hub."""

    def __init__(self) -> None:
        self._peers: dict[str, Peer] = {}

    def add(self, peer: Peer) -> None:
        """Its connect reply is about to tell its client the id."""
        if peer.connection.address is not None:
            self._peers[peer.connection.address.session] = peer

    def find(self, session: str) -> Peer | None:
        """The connection with this id, also when it has just been closed by us."""
        return self._peers.get(session)

    def remove(self, peer: Peer, *, closed_by_us: bool) -> None:
        """The connection has ended."""
        address = peer.connection.address
        if address is None:
            return
        if closed_by_us:
            asyncio.get_running_loop().call_later(ENDED_S, self._peers.pop, address.session, None)
        else:
            self._peers.pop(address.session, None)
