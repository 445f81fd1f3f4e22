"""Publications as patches against the one before, for subscribers that agreed to it.

A client's base is the publication it read last. Here that is always the channel's previous publication as this process
wrote it, so a patch is made once per publication and never per connection.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Final

import msgspec

from actors.brokers import contract
from actors.protocol import frames
from actors.protocol.fossil import create_delta
from serve_app.realtime.encoding import publication_message

REMEMBERED: Final = 1024
"""Patches of recovered publications that are kept: after an outage many clients miss the same ones."""


class DeltaState(IntEnum):
    """What a subscriber's base is. An integer: it is part of a key that is looked up for every publication."""

    NONE = 0
    """Deltas were not agreed."""
    FRESH = 1
    """It has no base, or another one than the channel's: the next publication is sent whole."""
    BASED = 2
    """It holds the channel's previous publication."""


class Patches:
    """Patches between recovered publications of any channel, each made once while it is remembered."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._known: dict[tuple[str, str, int, int, int], bytes | None] = {}
        """By what they lead from and to as well: a publication in a history may be replaced."""

    def between(self, channel: str, before: contract.Publication, after: contract.Publication) -> bytes | None:
        """The patch that leads from one publication to the next of the stream; None: send it whole."""
        if not after.delta or after.offset != before.offset + 1:
            return patch_between(before, after)
        key = (channel, after.epoch, after.offset, hash(before.data), hash(after.data))
        if key not in self._known:
            if len(self._known) >= self._limit:
                del self._known[next(iter(self._known))]
            self._known[key] = patch_between(before, after)
        return self._known[key]


def patch_between(before: contract.Publication, after: contract.Publication) -> bytes | None:
    """None where the publisher does not allow it or the patch would not be smaller."""
    return create_delta(before.data, after.data) if after.delta else None


def patch_of_change(change: contract.Publication) -> bytes | None:
    """The patch of a map's key against the value that it replaces, which every subscriber of the map holds."""
    return create_delta(change.before, change.data) if change.before else None


def delta_message(publication: contract.Publication, patch: bytes | None, *, binary: bool) -> frames.Publication:
    """A publication, whole or as a patch, for a subscriber that agreed to deltas."""
    message = publication_message(publication)
    if publication.removed:
        return message
    content = publication.data if patch is None else patch
    # Clients with a text encoding read a string in all cases: either the whole JSON text or the patch.
    message.data = frames.raw(content) if binary else msgspec.Raw(msgspec.json.encode(content.decode()))
    message.delta = patch is not None
    return message


def recovered_messages(
    channel: str,
    publications: Sequence[contract.Publication],
    patches: Patches,
    is_meant: Callable[[contract.Publication], bool] = lambda _publication: True,
    *,
    binary: bool,
) -> list[frames.Publication]:
    """Recovered publications that are meant for the subscriber: the first one whole, each other against the one before.

    After one that it does not get, the next is whole again: patches are made once, against the stream.
    """
    messages: list[frames.Publication] = []
    before: contract.Publication | None = None
    for publication in publications:
        if not is_meant(publication):
            before = None
            continue
        patch = patches.between(channel, before, publication) if before is not None else None
        messages.append(delta_message(publication, patch, binary=binary))
        before = publication
    return messages
