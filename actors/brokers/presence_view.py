"""Presence as a map: pages of who is in a channel, and what changes of it, as changes of keys. Plain data, no I/O.

There is one truth, the presence of the channel itself. A view reads pages from it; beside that it keeps the order of
keys, and, like any map, a stream of changes.
"""

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable

from actors.brokers.channel import Channel
from actors.brokers.map_state import PAGE_BYTES, Page
from actors.brokers.wire import Entry, Info, Pub, encode
from actors.protocol.presence_maps import CLIENTS_PREFIX, USERS_PREFIX


class PresenceViews:
    """Tells the views of a shard's channels who came and who went. `find` finds a channel by its name."""

    def __init__(self, find: Callable[[str], Channel | None], wall_ms: Callable[[], int]) -> None:
        self._find = find
        self._wall_ms = wall_ms

    def admitted(self, channel: Channel, info: Info, before: Info | None) -> None:
        """A connection is in the channel; `before` is what was known of it, if it was there already."""
        view = self._find(CLIENTS_PREFIX + channel.name)
        if view is not None and info != before:
            self._change(view, info.client, info, removed=False)
        if before is None and info.user and channel.users.get(info.user) == 1:
            view = self._find(USERS_PREFIX + channel.name)
            if view is not None:
                self._change(view, info.user, None, removed=False)

    def dismissed(self, channel: Channel, info: Info) -> None:
        """A connection is in the channel no more."""
        view = self._find(CLIENTS_PREFIX + channel.name)
        if view is not None:
            self._change(view, info.client, info, removed=True)
        if info.user and info.user not in channel.users:
            view = self._find(USERS_PREFIX + channel.name)
            if view is not None:
                self._change(view, info.user, None, removed=True)

    def _change(self, view: Channel, key: str, info: Info | None, *, removed: bool) -> None:
        _reorder(view, key, removed=removed)
        offset = view.top + 1
        pub = Pub(b"", offset, view.epoch, self._wall_ms(), info, entry=Entry(key, removed))
        view.accept(offset, view.epoch, encode(pub), asyncio.get_running_loop().time())

    def page(self, view: Channel, cursor: str, limit: int) -> Page:
        """Who is there, in the order of keys, after the key that is the cursor."""
        shown = view.shows
        channel = None if shown is None else self._find(shown.channel)
        if channel is None:
            return Page([], "")
        by_client = view.name.startswith(CLIENTS_PREFIX)
        order = view.order
        if order is None:
            keys = channel.presence if by_client else channel.users
            order = view.order = sorted(key for key in keys if key)
        pubs: list[bytes] = []
        size = 0
        for index in range(bisect_right(order, cursor) if cursor else 0, len(order)):
            if pubs and (len(pubs) >= limit or size >= PAGE_BYTES):
                return Page(pubs, order[index - 1])
            key = order[index]
            info = channel.presence[key].info if by_client else None
            pubs.append(encode(Pub(b"", 0, view.epoch, 0, info, entry=Entry(key))))
            size += len(pubs[-1])
        return Page(pubs, "")


def _reorder(view: Channel, key: str, *, removed: bool) -> None:
    order = view.order
    if order is None:
        return
    index = bisect_left(order, key)
    is_there = index < len(order) and order[index] == key
    if removed and is_there:
        del order[index]
    elif not removed and not is_there:
        insort(order, key)
