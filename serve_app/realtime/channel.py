"""Who in this process listens to a channel, and what they are written."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

import structlog

from actors.brokers import contract
from actors.protocol import frames
from serve_app.realtime.batching import Batch
from serve_app.realtime.counts import COUNTS
from serve_app.realtime.deltas import DeltaState
from serve_app.realtime.encoding import info_message
from serve_app.realtime.peer import Peer
from serve_app.realtime.rendering import Rendering, Variant, addressed
from serve_app.realtime.taps import ChannelTap

WRITES_PER_STEP: Final = 256
"""About 2 ms of writing: between steps the hub looks at the clock."""

logger = structlog.get_logger(__name__)

Members = dict[Peer, Callable[[bytes], None]]


class Channel:
    """One channel in one process. Positions are kept here, once, and not per connection."""

    __slots__ = (
        "_bases", "_deltas", "_filtered", "_tapped", "batch", "epoch", "interest", "name", "number", "offset", "tap",
        "variants",
        "waiting",
    )  # fmt: skip

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        """Stands for the name in compact pushes."""
        self.epoch = ""
        self.offset = 0
        self.interest: set[int] = set()
        """Subscription attempts of this process that the broker was asked for and not told to forget."""
        self.variants: dict[Variant, Members] = {}
        self.waiting: dict[Peer, Variant] = {}
        """Subscribed on the server's behalf; their connect reply is not written yet."""
        self.batch: Batch | None = None
        """Publications gather here before they are written, where the namespace wants that."""
        self.tap: ChannelTap | None = None
        """Reads along while the channel is traced."""
        self._tapped: set[Peer] | None = None
        """Members that are traced; None: nobody, without the cost of an empty set for each channel."""
        self._filtered: dict[Peer, Variant] = {}
        """There may be as many filters as subscribers: where to find those who have one."""
        self._deltas = 0
        """How many agreed to deltas."""
        self._bases: dict[str, contract.Publication] = {}
        """The last publication written, by key; kept while somebody agreed to deltas."""

    # Members

    def add(self, peer: Peer, variant: Variant, *, waiting: bool = False) -> None:
        """Deliver to this connection from now on."""
        if waiting:
            self.waiting[peer] = variant
            return
        if variant.tags is not None:
            self._filtered[peer] = variant
        if variant.delta is not DeltaState.NONE:
            self._deltas += 1
        self.variants.setdefault(variant, {})[peer] = peer.socket.write

    def delta_state(self, recovered: contract.SubscribeReply | None) -> DeltaState:
        """What a new subscriber is based on that was brought up to date by this answer, or by none.

        Without publications among the recovered ones nobody knows what the client holds, if anything.
        """
        if recovered is None:
            return DeltaState.FRESH
        last = recovered.publications[-1]
        if not self._deltas:
            self._bases[last.key] = last
        base = self._bases.get(last.key)
        # Of one offset there are two contents when it has been replaced in the history since it was written here.
        is_base = base is not None and (base.epoch, base.offset, base.data) == (last.epoch, last.offset, last.data)
        return DeltaState.BASED if is_base else DeltaState.FRESH

    def remove(self, peer: Peer) -> None:
        """Deliver nothing more to it."""
        self.waiting.pop(peer, None)
        self.read_no_more(peer)
        filtered = self._filtered.pop(peer, None)
        for variant in [filtered] if filtered is not None else list(self.variants):
            members = self.variants[variant]
            if members.pop(peer, None) is not None:
                if not members:
                    del self.variants[variant]
                if variant.delta is not DeltaState.NONE:
                    self._deltas -= 1
                    if not self._deltas:
                        self._bases.clear()
                return

    def release(self, peer: Peer) -> None:
        """Its connect reply is written: it is a member like any other."""
        variant = self.waiting.pop(peer, None)
        if variant is not None:
            self.add(peer, variant)

    def peers(self) -> list[Peer]:
        """Everyone who listens."""
        listening = [peer for members in self.variants.values() for peer in members]
        return listening + list(self.waiting)

    # Publications

    def advance(self, publications: Sequence[contract.Publication]) -> list[contract.Publication] | None:
        """Those that come next in the stream; late ones are dropped. None: there is a gap."""
        if publications[-1].offset == self.offset + len(publications) and publications[-1].epoch == self.epoch:
            self.offset += len(publications)
            return list(publications)
        fresh: list[contract.Publication] = []
        for publication in publications:
            if publication.offset == 0:
                fresh.append(publication)
                continue
            if self.epoch == "":
                self.epoch, self.offset = publication.epoch, publication.offset - 1
            if publication.epoch not in ("", self.epoch) or publication.offset > self.offset + 1:
                return None
            if publication.offset == self.offset + 1:
                self.offset = publication.offset
                fresh.append(publication)
        return fresh

    def publish(self, publications: Sequence[contract.Publication]) -> Iterator[None]:
        """Write publications to everyone, pausing after every few writes."""
        plain: list[contract.Publication] = []
        for publication in publications:
            if publication.exclude_clients or publication.exclude_users:
                if plain:
                    yield from self._write_publications(plain, None)
                yield from self._write_publications([publication], publication)
                plain = []
            else:
                plain.append(publication)
        if plain:
            yield from self._write_publications(plain, None)

    def announce(self, joined: Sequence[contract.ClientInfo], left: Sequence[contract.ClientInfo]) -> Iterator[None]:
        """Write joins and leaves to those who want them, all of them in one write."""
        if self.tap is not None:
            self.tap.announced(joined, left)
        joins = [frames.Join(info_message(info)) for info in joined]
        leaves = [frames.Leave(info_message(info)) for info in left]
        packed: dict[tuple[str, bool], bytes] = {}

        def encoded(variant: Variant) -> list[bytes]:
            pushes = [addressed(self.name, self.number, compact=variant.compact) for _ in (*joins, *leaves)]
            for push, join in zip(pushes, joins, strict=False):
                push.join = join
            for push, leave in zip(pushes[len(joins) :], leaves, strict=True):
                push.leave = leave
            return [variant.wire.codec.encode(frames.Reply(push=push)) for push in pushes]

        for peer, variant in self.waiting.items():
            if variant.join_leave:
                _hold(peer, encoded(variant))
        for variant, members in list(self.variants.items()):
            if variant.join_leave:
                key = (variant.wire.name, variant.compact)
                if key not in packed:
                    packed[key] = variant.wire.pack(encoded(variant))
                if self._tapped is not None:
                    self._show(members, encoded(variant))
                yield from _write_all(packed[key], members)

    # Traces

    def read_along(self, peer: Peer) -> None:
        """Show the connection's tap what is written to it."""
        if self._tapped is None:
            self._tapped = set()
        self._tapped.add(peer)

    def read_no_more(self, peer: Peer) -> None:
        """It is traced no more."""
        if self._tapped is not None:
            self._tapped.discard(peer)
            if not self._tapped:
                self._tapped = None

    def _show(self, members: Collection[Peer], messages: Sequence[bytes]) -> None:
        for peer in self._tapped or ():
            if peer in members and peer.tap is not None:
                peer.tap.sent(messages, self.name)

    # Writing

    def _write_publications(
        self, publications: Sequence[contract.Publication], exclusion: contract.Publication | None
    ) -> Iterator[None]:
        if self.tap is not None:
            self.tap.published(publications, len(self.peers()))
        rendering = Rendering(self.name, self.number, publications, self._bases)
        excluded = None if exclusion is None else _Excluded(exclusion)
        for peer, variant in self.waiting.items():
            if excluded is None or peer not in excluded:
                _hold(peer, rendering.messages(variant))
        moves: list[tuple[Variant, list[Peer], DeltaState]] = []
        for variant, members in list(self.variants.items()):
            data = rendering.packed(variant)
            if not data:
                # There may be as many filters as subscribers, and looking at each takes its time too.
                yield
                continue
            left_out = {peer for peer in members if peer in excluded} if excluded is not None else set()
            COUNTS.deliveries += (len(members) - len(left_out)) * len(rendering.messages(variant))
            if self._tapped is not None:
                self._show(members.keys() - left_out, rendering.messages(variant))
            yield from _write_all(data, members, left_out)
            if variant.delta is DeltaState.FRESH:
                moves.append((variant, [peer for peer in members if peer not in left_out], DeltaState.BASED))
            elif variant.delta is DeltaState.BASED and left_out:
                # They have not read what the next patch starts from.
                moves.append((variant, list(left_out), DeltaState.FRESH))
        for variant, peers, delta in moves:
            self._move(variant, peers, delta)
        if self._deltas:
            for publication in publications:
                if not publication.key:
                    self._bases[""] = publication

    def _move(self, variant: Variant, peers: Sequence[Peer], delta: DeltaState) -> None:
        members = self.variants.get(variant, {})
        target = self.variants.setdefault(variant._replace(delta=delta), {})
        for peer in peers:
            write = members.pop(peer, None)
            if write is not None:
                target[peer] = write
        for each in (variant, variant._replace(delta=delta)):
            if not self.variants.get(each, True):
                del self.variants[each]


def _hold(peer: Peer, messages: list[bytes]) -> None:
    peer.held = (peer.held or []) + messages
    peer.held_bytes += sum(map(len, messages))


def _write_all(data: bytes, members: Members, left_out: Collection[Peer] = ()) -> Iterator[None]:
    if len(members) <= WRITES_PER_STEP and not left_out:
        _write_each(data, iter(members.values()))
        yield
        return
    everyone = [(peer, write) for peer, write in members.items() if peer not in left_out]
    for start in range(0, len(everyone), WRITES_PER_STEP):
        # Others had their turn since the list was made: who left must not be written to.
        step = [write for peer, write in everyone[start : start + WRITES_PER_STEP] if peer in members]
        _write_each(data, iter(step))
        yield


def _write_each(data: bytes, writes: Iterator[Callable[[bytes], None]]) -> None:
    """The hot loop: nothing but the write per subscriber. One broken transport must not cost the others theirs."""
    while True:
        try:
            for write in writes:
                write(data)
        except Exception:
            logger.exception("write_failed")
        else:
            return


class _Excluded:
    """Whom a publication leaves out, to be asked about every member: a long list times many members is a long time."""

    def __init__(self, publication: contract.Publication) -> None:
        self._clients = frozenset(publication.exclude_clients)
        self._users = frozenset(publication.exclude_users)

    def __contains__(self, peer: Peer) -> bool:
        return peer.connection.client in self._clients or peer.connection.user in self._users
