"""Publications as the subscribers of a channel read them: encoded and framed once for all who read the same bytes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from actors.brokers import contract
from actors.protocol import frames
from actors.protocol.codec import Codec
from actors.protocol.tags_filter import TagsFilter
from serve_app.realtime.deltas import DeltaState, delta_message, patch_between, patch_of_change
from serve_app.realtime.encoding import publication_message
from serve_app.realtime.wire import Wire


class Variant(NamedTuple):
    """Everything that makes two subscribers' bytes differ."""

    wire: Wire
    compact: bool = False
    """Pushes carry the channel's number."""
    join_leave: bool = False
    """Wants joins and leaves."""
    delta: DeltaState = DeltaState.NONE
    tags: TagsFilter | None = None
    """Wants only publications whose tags match."""


class Rendering:
    """Some publications of a channel, in order. What nobody reads is never made."""

    def __init__(
        self,
        channel: str,
        number: int,
        publications: Sequence[contract.Publication],
        bases: Mapping[str, contract.Publication],
    ) -> None:
        self._channel = channel
        self._number = number
        self._publications = publications
        self._bases = bases
        """The publication before these, by key."""
        self._befores: list[tuple[contract.Publication | None, bool]] | None = None
        self._patches: dict[int, bytes | None] = {}
        self._messages: dict[tuple[str, bool, DeltaState], list[bytes]] = {}
        self._selections: dict[TagsFilter, tuple[int, ...] | None] = {}
        self._packed: dict[tuple[str, bool, DeltaState, tuple[int, ...] | None], bytes] = {}

    def messages(self, variant: Variant) -> list[bytes]:
        """One encoded push per publication that the variant wants."""
        key = (variant.wire.codec.name, variant.compact, variant.delta)
        messages = self._messages.get(key)
        if messages is None:
            messages = self._messages[key] = self._encode(variant.wire.codec, variant.compact, variant.delta)
        selection = self._selection(variant.tags)
        return messages if selection is None else [messages[index] for index in selection]

    def packed(self, variant: Variant) -> bytes:
        """The bytes to write; empty when the variant wants none of the publications."""
        key = (variant.wire.name, variant.compact, variant.delta, self._selection(variant.tags))
        data = self._packed.get(key)
        if data is None:
            messages = self.messages(variant)
            data = self._packed[key] = variant.wire.pack(messages) if messages else b""
        return data

    def _selection(self, tags: TagsFilter | None) -> tuple[int, ...] | None:
        """Indexes of the publications that match; None: all."""
        if tags is None:
            return None
        if tags not in self._selections:
            found = tuple(i for i, publication in enumerate(self._publications) if tags.matches(publication.tags))
            self._selections[tags] = None if len(found) == len(self._publications) else found
        return self._selections[tags]

    def _encode(self, codec: Codec, compact: bool, delta: DeltaState) -> list[bytes]:
        messages = []
        for index, publication in enumerate(self._publications):
            if delta is DeltaState.NONE:
                message = publication_message(publication)
            else:
                message = delta_message(publication, self._patch(index, delta), binary=codec.is_binary)
            push = addressed(self._channel, self._number, compact=compact)
            push.pub = message
            messages.append(codec.encode(frames.Reply(push=push)))
        return messages

    def _patch(self, index: int, delta: DeltaState) -> bytes | None:
        publication = self._publications[index]
        if publication.key:
            if index not in self._patches:
                self._patches[index] = patch_of_change(publication)
            return self._patches[index]
        if self._befores is None:
            self._befores = self._find_befores()
        before, is_here = self._befores[index]
        if before is None or (delta is DeltaState.FRESH and not is_here):
            return None
        if index not in self._patches:
            self._patches[index] = patch_between(before, publication)
        return self._patches[index]

    def _find_befores(self) -> list[tuple[contract.Publication | None, bool]]:
        """(the publication before, whether it is one of these) for each."""
        befores: list[tuple[contract.Publication | None, bool]] = []
        here: dict[str, contract.Publication] = {}
        for publication in self._publications:
            before = here.get(publication.key)
            befores.append((before or self._bases.get(publication.key), before is not None))
            here[publication.key] = publication
        return befores


def addressed(channel: str, number: int, *, compact: bool) -> frames.Push:
    """A push for a channel, by its number where that was agreed."""
    return frames.Push(id=number) if compact else frames.Push(channel=channel)
