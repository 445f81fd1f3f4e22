"""The keys of one channel that somebody tracks in this process, and what is known of their values.

Sans-I/O: who is asked and when is the business of `serve_app.realtime.shared_polls`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import structlog

from actors.brokers.contract import Publication
from actors.protocol import codes
from actors.protocol.json_codec import single_line
from actors.protocol.namespace_groups import SharedPollOptions
from serve_app.realtime.handlers import PolledItem
from serve_app.realtime.peer import Peer
from serve_app.realtime.timers import UNSCHEDULED

logger = structlog.get_logger(__name__)


class Base(NamedTuple):
    """What a connection that agreed to deltas has of a key. `sent`: it was sent here, so a patch may start from it."""

    version: int
    sent: bool


class Tracker:
    """One connection's keys in the channel."""

    __slots__ = ("bases", "keys", "peer", "poll", "slot")

    def __init__(self, peer: Peer, poll: "SharedPoll") -> None:
        self.peer = peer
        self.poll = poll
        self.slot = UNSCHEDULED
        self.keys: dict[str, float | None] = {}
        """Key → Unix time after which it is tracked no more; None: it stays."""
        self.bases: dict[str, Base] | None = None
        """Of each key; None where deltas were not agreed."""

    def claim(self, key: str, version: int, sent: int) -> None:
        """The client says that it has this version of a key, and is sent that one (0: nothing is sent)."""
        bases = self.bases
        if bases is None:
            return
        held = bases.get(key)
        if sent and (held is None or sent > held.version):
            bases[key] = Base(sent, sent=True)
        elif held is None or version > held.version:
            bases[key] = Base(version, sent=False)

    def rebase(self, change: "Change") -> bool | None:
        """The client is about to be sent a change. True: it may be a patch; None: it has a newer one already."""
        bases, publication = self.bases, change.publication
        if bases is None:
            return False
        held = bases.get(publication.key)
        if held is not None and publication.version <= held.version:
            return None
        bases[publication.key] = Base(publication.version, sent=True)
        before = change.before
        return held is not None and held.sent and before is not None and held.version == before.version

    @property
    def end(self) -> float | None:
        """When the first of its keys ends."""
        return min((end for end in self.keys.values() if end is not None), default=None)


class TrackedKey:
    """One key: its newest known value and who is told of the next one."""

    __slots__ = ("peers", "value")

    def __init__(self) -> None:
        self.value: Publication | None = None
        self.peers: dict[Peer, None] = {}

    @property
    def version(self) -> int:
        """Of the newest known value; 0: none is known."""
        return self.value.version if self.value is not None else 0


class Change(NamedTuple):
    """A value, or a removal, and whom it concerns."""

    publication: Publication
    peers: Sequence[Peer]
    before: Publication | None = None
    """What it replaces."""


def newest(older: Change, newer: Change) -> Change | None:
    """One change of a key that says what both say, to everybody whom they concern; None: both must be told.

    Who followed the key at the first and does so still is among those of the second, and has what the first replaces.
    """
    if newer.publication.removed:
        told = dict.fromkeys((*older.peers, *newer.peers)) if older.publication.removed else newer.peers
        return newer._replace(peers=list(told))
    return None if older.publication.removed else newer._replace(before=older.before)


class SharedPoll:
    """Tracked keys of one channel. Its size is bounded by the namespace's options."""

    def __init__(self, channel: str, options: SharedPollOptions) -> None:
        self.channel = channel
        self.options = options
        self.keys: dict[str, TrackedKey] = {}
        self.trackers: dict[Peer, Tracker] = {}
        self.fresh: dict[str, None] = {}
        """Keys that nobody has asked for yet."""

    # Trackers

    def track(
        self,
        peer: Peer,
        items: Mapping[str, int],
        ends: Mapping[str, float],
        untrack: Sequence[str] = (),
        *,
        delta: bool = False,
    ) -> list[Publication] | codes.ErrorCode:
        """Follow these keys (→ the version that the client has). Returns what it does not have yet, or error 106."""
        tracker = self.trackers.get(peer)
        held = tracker.keys if tracker is not None else {}
        given_up = set(untrack)
        kept = len((held.keys() | items.keys()) - given_up)
        added = sum(key not in self.keys and key not in given_up for key in items)
        if kept > self.options.max_keys_per_subscriber or len(self.keys) + added > self.options.max_keys:
            return codes.ERROR_LIMIT_EXCEEDED
        if tracker is None:
            tracker = self.trackers[peer] = Tracker(peer, self)
            tracker.bases = {} if delta else None
        newer = []
        for key, version in items.items():
            if key in given_up:
                continue
            known = self.keys.get(key)
            if known is None:
                known = self.keys[key] = TrackedKey()
                self.fresh[key] = None
            known.peers[peer] = None
            tracker.keys[key] = ends.get(key)
            is_newer = known.value is not None and known.version > version
            if known.value is not None and is_newer:
                newer.append(known.value)
            tracker.claim(key, version, known.version if is_newer else 0)
        self.untrack(peer, untrack)
        return newer

    def untrack(self, peer: Peer, keys: Iterable[str]) -> None:
        """Follow these keys no more for this connection."""
        tracker = self.trackers.get(peer)
        if tracker is None:
            return
        for key in keys:
            if key in tracker.keys:
                del tracker.keys[key]
                if tracker.bases is not None:
                    tracker.bases.pop(key, None)
                self._leave(peer, key)
        if not tracker.keys:
            del self.trackers[peer]

    def forget(self, peer: Peer) -> None:
        """The connection is gone, or its subscription."""
        tracker = self.trackers.get(peer)
        if tracker is not None:
            self.untrack(peer, list(tracker.keys))

    def expire(self, tracker: Tracker, now: float) -> None:
        """Give up what was signed until `now` (Unix seconds)."""
        self.untrack(tracker.peer, [key for key, end in tracker.keys.items() if end is not None and end <= now])

    def _leave(self, peer: Peer, key: str) -> None:
        known = self.keys[key]
        del known.peers[peer]
        if not known.peers:
            del self.keys[key]
            self.fresh.pop(key, None)

    # Rounds

    def batches(self, keys: Iterable[str]) -> Iterator[dict[str, int]]:
        """What to ask for: key → known version, in portions. What was untracked meanwhile is left out."""
        wanted, size = list(keys), self.options.batch_size
        for start in range(0, len(wanted), size):
            asked = {key: self.keys[key].version for key in wanted[start : start + size] if key in self.keys}
            if asked:
                yield asked

    def checked(self, items: Iterable[PolledItem]) -> list[Publication]:
        """Values of an answer that may be sent. Raises for what is no answer at all."""
        # All of it is looked at before any of it counts.
        return [each for each in map(self._publication, items) if each is not None]

    def asked(self, keys: Iterable[str]) -> None:
        """Somebody has asked for these, or is asking now."""
        for key in keys:
            self.fresh.pop(key, None)

    def learned(self, publications: Iterable[Publication]) -> list[Change]:
        """Take values in. Returns what is new to those who track it."""
        changes = []
        for publication in publications:
            known = self.keys.get(publication.key)
            if known is None:
                continue
            if publication.removed:
                changes.append(Change(publication, self._remove(publication.key)))
            elif publication.version > known.version:
                before, known.value = known.value, publication
                changes.append(Change(publication, list(known.peers), before))
        return changes

    def _publication(self, item: PolledItem) -> Publication | None:
        if item.removed and 0 <= item.version < 2**63:
            return Publication(b"", key=item.key, removed=True, version=item.version)
        try:
            data = single_line(item.data)
        except ValueError:
            data = b""
        if not data or not 0 < item.version < 2**63 or len(data) > self.options.max_value_bytes:
            logger.error("polled_value_refused", channel=self.channel, key=item.key, bytes=len(item.data))
            return None
        return Publication(data, key=item.key, version=item.version)

    def _remove(self, key: str) -> list[Peer]:
        """Clients forget a key that was removed: so do we, until it is tracked again."""
        peers = list(self.keys[key].peers)
        for peer in peers:
            self.untrack(peer, [key])
        return peers
