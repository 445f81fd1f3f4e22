"""What hubs and shards say to each other about shared polls; part of `actors.brokers.operations` and `items`."""

from typing import Final

import msgspec

from actors.brokers.contract import Publication

GOES_ON: Final = 0
"""More of the round follows."""
DONE: Final = 1
FAILED: Final = 2
"""The backend failed in this round: it is asked later and later, by whichever process."""


class PollValue(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The value of a key, or that there is none any more."""

    key: str
    version: int
    data: bytes = b""
    removed: bool = False


class PollClaim(msgspec.Struct, array_like=True, frozen=True, tag=60):
    """This process tracks these keys and knows these versions; may it ask the backend? Answered by `PollTurn`."""

    request: int
    channel: str
    keys: dict[str, int]


class PollReport(msgspec.Struct, array_like=True, frozen=True, tag=61):
    """The backend was asked for these keys, and answered these values. `end`: what came of the round."""

    channel: str
    asked: list[str]
    values: list[PollValue]
    end: int = GOES_ON


class PollTurn(msgspec.Struct, array_like=True, frozen=True, tag=60):
    """What the process is to ask the backend for, with the versions known, and values that it does not have."""

    request: int
    ask: dict[str, int]
    values: list[PollValue]


def polled(value: PollValue) -> Publication:
    """`Publication` from the wire."""
    return Publication(value.data, key=value.key, removed=value.removed, version=value.version)


def value_of(publication: Publication) -> PollValue:
    """A publication for the wire."""
    return PollValue(publication.key, publication.version, publication.data, publication.removed)


class PollChanged(msgspec.Struct, array_like=True, frozen=True, tag=61):
    """Values that another process found."""

    channel: str
    values: list[PollValue]
