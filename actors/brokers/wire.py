"""What clients and broker shards say to each other, in typed arrays of msgpack: the shapes that `operations` (up) and
`items` (down) share.

A publication is encoded once, by the shard that gave it its offset; rings, streams of hubs and answers share the bytes.
"""

from typing import Any

import msgspec

from actors.brokers.contract import ClientInfo, Publication

encode = msgspec.msgpack.Encoder().encode


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What makes a publication the change of a key. `before`: the value it replaces, where clients may get deltas."""

    key: str
    removed: bool = False
    score: int = 0
    version: int = 0
    before: bytes = b""


class Pub(msgspec.Struct, array_like=True, frozen=True):
    """`Publication` on the wire."""

    data: bytes
    offset: int = 0
    epoch: str = ""
    time_ms: int = 0
    info: ClientInfo | None = None
    tags: dict[str, str] | None = None
    delta: bool = False
    exclude_clients: tuple[str, ...] = ()
    exclude_users: tuple[str, ...] = ()
    entry: Entry | None = None


class Subscriber(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One subscription of one connection."""

    subscription: int
    info: ClientInfo
    presence: bool
    join_leave: bool


def raw(pubs: list[bytes]) -> list[Any]:
    """Encoded publications as elements of an item that is yet to be encoded."""
    return [msgspec.Raw(pub) for pub in pubs]


def publication(pub: Pub) -> Publication:
    """`Publication` from the wire."""
    entry = pub.entry
    return Publication(
        data=pub.data,
        offset=pub.offset,
        epoch=pub.epoch,
        info=pub.info,
        tags=pub.tags or {},
        time_ms=pub.time_ms,
        delta=pub.delta,
        exclude_clients=pub.exclude_clients,
        exclude_users=pub.exclude_users,
        key="" if entry is None else entry.key,
        removed=entry is not None and entry.removed,
        score=0 if entry is None else entry.score,
        version=0 if entry is None else entry.version,
        before=b"" if entry is None else entry.before,
    )
