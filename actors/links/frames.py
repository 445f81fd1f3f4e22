"""What travels between the two ends of a link: one msgpack array per call and per answer."""

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Poll(msgspec.Struct, array_like=True, frozen=True):
    """Ask for what comes after `cursor`. An empty `incarnation` attaches a new session and discards the last one."""

    boot: str
    session: int
    incarnation: str
    cursor: int


class Batch(msgspec.Struct, Generic[T], array_like=True):
    """Items of the stream, the last of which has number `cursor`. `reset`: the stream asked for does not exist."""

    incarnation: str
    cursor: int
    reset: bool
    items: list[T]


class Submit(msgspec.Struct, Generic[T], array_like=True):
    """Operations for the shard. (session, sequence) makes re-sending safe, `incarnation` makes it harmless."""

    boot: str
    session: int
    incarnation: str
    sequence: int
    items: list[T]
    seen: int = 0
    """Cursor up to which the sender had read the stream."""


class Accepted(msgspec.Struct, array_like=True, frozen=True):
    """All that an up-call answers (DESIGN §5, 1): results come down the stream."""

    incarnation: str
    sequence: int
    reset: bool
