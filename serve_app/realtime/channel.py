"""Who in this process listens to a channel, and what they are written."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import structlog

from actors.brokers import contract
from actors.protocol import frames
from serve_app.realtime.encoding import info_message, publication_message
from serve_app.realtime.peer import Peer
from serve_app.realtime.wire import Wire

WRITES_PER_STEP: Final = 256
"""About 2 ms of writing: between steps the hub looks at the clock."""


class Variant(NamedTuple):
    """Everything that makes two subscribers' bytes differ."""

    wire: Wire
    compact: bool
    join_leave: bool
    """Wants joins and leaves."""


logger = structlog.get_logger(__name__)

Members = dict[Peer, Callable[[bytes], None]]


class Channel:
    """One channel in one process. Positions are kept here, once, and not per connection."""

    __slots__ = ("epoch", "interest", "name", "number", "offset", "variants", "waiting")

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

    def add(self, peer: Peer, *, compact: bool, join_leave: bool, waiting: bool) -> None:
        """Deliver to this connection from now on."""
        variant = Variant(peer.socket.wire, compact, join_leave)
        if waiting:
            self.waiting[peer] = variant
        else:
            self.variants.setdefault(variant, {})[peer] = peer.socket.write

    def remove(self, peer: Peer) -> None:
        """Deliver nothing more to it."""
        self.waiting.pop(peer, None)
        for variant, members in self.variants.items():
            if members.pop(peer, None) is not None:
                if not members:
                    del self.variants[variant]
                return

    def release(self, peer: Peer) -> None:
        """Its connect reply is written: it is a member like any other."""
        variant = self.waiting.pop(peer, None)
        if variant is not None:
            self.variants.setdefault(variant, {})[peer] = peer.socket.write

    def peers(self) -> list[Peer]:
        """Everyone who listens."""
        listening = [peer for members in self.variants.values() for peer in members]
        return listening + list(self.waiting)

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
        """Write publications to everyone, pausing after every few writes. Encoded and framed once per variant."""
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

    def announce(self, info: contract.ClientInfo, *, joined: bool) -> Iterator[None]:
        """Write a join or leave to those who want them."""
        message = info_message(info)

        def push(compact: bool) -> frames.Push:
            to = self._addressed(compact)
            if joined:
                to.join = frames.Join(message)
            else:
                to.leave = frames.Leave(message)
            return to

        yield from self._write(lambda compact: [push(compact)], lambda variant: variant.join_leave, None)

    def _addressed(self, compact: bool) -> frames.Push:
        return frames.Push(id=self.number) if compact else frames.Push(channel=self.name)

    def _write_publications(
        self, publications: Sequence[contract.Publication], exclusion: contract.Publication | None
    ) -> Iterator[None]:
        messages = [publication_message(publication) for publication in publications]

        def pushes(compact: bool) -> list[frames.Push]:
            made = []
            for message in messages:
                push = self._addressed(compact)
                push.pub = message
                made.append(push)
            return made

        yield from self._write(pushes, lambda variant: True, exclusion)

    def _write(
        self,
        pushes: Callable[[bool], list[frames.Push]],
        wants: Callable[[Variant], bool],
        exclusion: contract.Publication | None,
    ) -> Iterator[None]:
        encoded: dict[tuple[str, bool], list[bytes]] = {}

        def messages(variant: Variant) -> list[bytes]:
            key = (variant.wire.codec.name, variant.compact)
            if key not in encoded:
                encode = variant.wire.codec.encode
                encoded[key] = [encode(frames.Reply(push=push)) for push in pushes(variant.compact)]
            return encoded[key]

        for peer, variant in self.waiting.items():
            if wants(variant) and not _excluded(peer, exclusion):
                held = messages(variant)
                peer.held = (peer.held or []) + held
                peer.held_bytes += sum(map(len, held))
        packed: dict[tuple[str, bool], bytes] = {}
        for variant, members in list(self.variants.items()):
            if not wants(variant):
                continue
            key = (variant.wire.name, variant.compact)
            data = packed.get(key)
            if data is None:
                data = packed[key] = variant.wire.pack(messages(variant))
            if exclusion is not None:
                for peer, write in list(members.items()):
                    if not _excluded(peer, exclusion):
                        write(data)
                yield
                continue
            yield from _write_all(data, members)


def _write_all(data: bytes, members: Members) -> Iterator[None]:
    if len(members) <= WRITES_PER_STEP:
        _write_each(data, iter(members.values()))
        yield
        return
    everyone = list(members.items())
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


def _excluded(peer: Peer, publication: contract.Publication | None) -> bool:
    if publication is None:
        return False
    connection = peer.connection
    return connection.client in publication.exclude_clients or connection.user in publication.exclude_users
