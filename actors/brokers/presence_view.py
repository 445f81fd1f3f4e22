"""Presence as a map: pages of who is in a channel, and what changes of it, as changes of keys.

There is one truth, the presence of the channel itself. A view reads pages from it; beside that it keeps what it has not
told yet and, like any map, a stream of changes. In a large channel changes are gathered like joins and leaves, so that
many who come at once cost each watcher a message per interval; and a user who goes stays for a while, because most come
back.
"""

import asyncio
from collections.abc import Callable, Iterable

from actors.brokers.announcing import is_large
from actors.brokers.channel import Channel
from actors.brokers.contract import ClientInfo
from actors.brokers.map_state import PAGE_BYTES, Page
from actors.brokers.view_changes import Change, ViewChanges
from actors.brokers.wire import Entry, Pub, encode
from actors.protocol.presence_maps import CLIENTS_PREFIX, USERS_PREFIX


class PresenceViews:
    """Tells the views of a shard's channels who came and who went. `find` finds a channel by its name."""

    def __init__(self, find: Callable[[str], Channel | None], wall_ms: Callable[[], int]) -> None:
        self._find = find
        self._wall_ms = wall_ms

    def admitted(self, channel: Channel, info: ClientInfo, before: ClientInfo | None) -> None:
        """A connection is in the channel; `before` is what was known of it, if it was there already."""
        view = self._find(CLIENTS_PREFIX + channel.name)
        if view is not None and info != before:
            self._change(view, channel, info.client, before, info, known=before is not None, removed=False)
        if before is None and info.user and channel.users.get(info.user) == 1:
            view = self._find(USERS_PREFIX + channel.name)
            if view is not None:
                self._change(view, channel, info.user, None, None, known=False, removed=False)

    def dismissed(self, channel: Channel, info: ClientInfo) -> None:
        """A connection is in the channel no more."""
        view = self._find(CLIENTS_PREFIX + channel.name)
        if view is not None:
            self._change(view, channel, info.client, info, info, known=True, removed=True)
        if info.user and info.user not in channel.users:
            view = self._find(USERS_PREFIX + channel.name)
            if view is not None:
                stays_ms = view.rules.user_leave_delay_ms
                self._change(view, channel, info.user, None, None, known=True, removed=True, stays_ms=stays_ms)

    def _change(
        self,
        view: Channel,
        channel: Channel,
        key: str,
        before: ClientInfo | None,
        info: ClientInfo | None,
        *,
        known: bool,
        removed: bool,
        stays_ms: int = 0,
    ) -> None:
        changes = view.view
        if changes is None:
            return
        wait_ms = max(view.rules.join_leave_interval_ms if is_large(channel) else 0, stays_ms)
        now = asyncio.get_running_loop().time()
        due = now + wait_ms / 1000
        changes.change(key, before, info, due, known=known, removed=removed)
        if wait_ms:
            self._tell_later(view, changes, due)
        else:
            self._tell(view, changes.tell(key), now)

    def _tell_later(self, view: Channel, changes: ViewChanges, due: float) -> None:
        timer = changes.timer
        if timer is None or timer.when() > due:
            if timer is not None:
                timer.cancel()
            changes.timer = asyncio.get_running_loop().call_at(due, self._on_due, view, changes)

    def _on_due(self, view: Channel, changes: ViewChanges) -> None:
        changes.timer = None
        if self._find(view.name) is not view:
            return
        now = asyncio.get_running_loop().time()
        self._tell(view, changes.take(now, view.rules.join_leave_limit), now)
        due = changes.next_due()
        if due is not None:
            self._tell_later(view, changes, due if due > now else now + view.rules.join_leave_interval_ms / 1000)

    def _tell(self, view: Channel, told: Iterable[Change], now: float) -> None:
        for change in told:
            offset = view.top + 1
            entry = Entry(change.key, change.removed)
            pub = Pub(b"", offset, view.epoch, self._wall_ms(), change.info, entry=entry)
            view.accept(offset, view.epoch, encode(pub), now)

    def page(self, view: Channel, cursor: str, limit: int) -> Page:
        """Who is there as watchers know it, in the order of keys, after the key that is the cursor."""
        shown, changes = view.shows, view.view
        if shown is None or changes is None:
            return Page([], "")
        channel = self._find(shown.channel)
        by_client = view.name.startswith(CLIENTS_PREFIX)
        present = channel.presence if channel is not None and by_client else {}
        users = channel.users if channel is not None and not by_client else {}
        pubs: list[bytes] = []
        size = 0
        last = ""
        for key in changes.after(cursor, present or users):
            if pubs and (len(pubs) >= limit or size >= PAGE_BYTES):
                return Page(pubs, last)
            info = changes.info(key, present)
            pubs.append(encode(Pub(b"", 0, view.epoch, 0, info, entry=Entry(key))))
            size += len(pubs[-1])
            last = key
        return Page(pubs, "")
