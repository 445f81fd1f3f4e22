"""The protocol as Protobuf: messages of `client.proto`, each with its length before it."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from actors.protocol import frames
from actors.protocol.codec import MAX_COMMANDS_PER_FRAME, MAX_FRAME_BYTES, ProtocolError
from actors.protocol.frames import Command, Reply
from actors.protocol.protobuf_wire import Wire, WireError, read_varint, write_varint
from actors.protocol.tags_filter import FilterNode, InvalidFilter, TagsFilter

TAGS: Final[Mapping[type[msgspec.Struct], Mapping[str, int]]] = {
    frames.StreamPosition: {"offset": 1, "epoch": 2},
    frames.ClientInfo: {"user": 1, "client": 2, "conn_info": 3, "chan_info": 4},
    frames.Publication: {
        **{"data": 4, "info": 5, "offset": 6, "tags": 7, "delta": 8, "time": 9, "channel": 10, "key": 11},
        **{"removed": 12, "score": 13, "epoch": 14, "version": 16},
    },
    frames.SubscribeRequest: {
        **{"channel": 1, "token": 2, "recover": 3, "epoch": 6, "offset": 7, "data": 8, "positioned": 9},
        **{"recoverable": 10, "join_leave": 11, "delta": 12, "tf": 13, "flag": 14, "type": 15, "phase": 16},
        **{"cursor": 17, "limit": 18, "asc": 19},
    },
    FilterNode: {"op": 1, "key": 2, "cmp": 3, "val": 4, "vals": 5, "nodes": 6},
    frames.ConnectRequest: {"token": 1, "data": 2, "subs": 3, "name": 4, "version": 5, "headers": 6, "flag": 7},
    frames.UnsubscribeRequest: {"channel": 1},
    frames.PublishRequest: {"channel": 1, "data": 2, "type": 3, "key": 4, "removed": 5},
    frames.PresenceRequest: {"channel": 1},
    frames.PresenceStatsRequest: {"channel": 1},
    frames.HistoryRequest: {"channel": 1, "limit": 7, "since": 8, "reverse": 9},
    frames.PingRequest: {},
    frames.SendRequest: {"data": 1},
    frames.RPCRequest: {"data": 1, "method": 2},
    frames.RefreshRequest: {"token": 1},
    frames.KeyedItem: {"key": 1, "version": 2},
    frames.TrackBatch: {"signature": 1, "items": 2},
    frames.SubRefreshRequest: {"channel": 1, "token": 2, "type": 3, "track": 4, "untrack": 5},
    frames.Command: {
        **{"id": 1, "connect": 4, "subscribe": 5, "unsubscribe": 6, "publish": 7, "presence": 8},
        **{"presence_stats": 9, "history": 10, "ping": 11, "send": 12, "rpc": 13, "refresh": 14, "sub_refresh": 15},
    },
    frames.Error: {"code": 1, "message": 2, "temporary": 3},
    frames.SubscribeResult: {
        **{"expires": 1, "ttl": 2, "recoverable": 3, "epoch": 6, "publications": 7, "recovered": 8, "offset": 9},
        **{"positioned": 10, "data": 11, "was_recovering": 12, "delta": 13, "id": 14, "type": 15, "phase": 16},
        **{"cursor": 17, "state": 18, "publish_debounce": 19},
    },
    frames.ConnectResult: {
        **{"client": 1, "version": 2, "expires": 3, "ttl": 4, "data": 5, "subs": 6, "ping": 7, "pong": 8},
        **{"session": 9, "node": 10, "time": 11},
    },
    frames.UnsubscribeResult: {},
    frames.PublishResult: {},
    frames.PresenceResult: {"presence": 1},
    frames.PresenceStatsResult: {"num_clients": 1, "num_users": 2},
    frames.HistoryResult: {"publications": 1, "epoch": 2, "offset": 3},
    frames.PingResult: {},
    frames.RPCResult: {"data": 1},
    frames.RefreshResult: {"expires": 3, "ttl": 4},
    frames.SubRefreshResult: {"expires": 1, "ttl": 2, "items": 3},
    frames.Join: {"info": 1},
    frames.Leave: {"info": 1},
    frames.Unsubscribe: {"code": 2, "reason": 3},
    frames.Subscribe: {"recoverable": 1, "epoch": 4, "offset": 5, "positioned": 6, "data": 7},
    frames.PushedMessage: {"data": 1},
    frames.Disconnect: {"code": 1, "reason": 2},
    frames.Refresh: {"expires": 1, "ttl": 2},
    frames.Push: {
        **{"id": 1, "channel": 2, "pub": 4, "join": 5, "leave": 6, "unsubscribe": 7, "message": 8},
        **{"subscribe": 9, "disconnect": 11, "refresh": 12},
    },
    frames.Reply: {
        **{"id": 1, "error": 2, "push": 4, "connect": 5, "subscribe": 6, "unsubscribe": 7, "publish": 8},
        **{"presence": 9, "presence_stats": 10, "history": 11, "ping": 12, "rpc": 13, "refresh": 14},
        **{"sub_refresh": 15},
    },
}
"""Field numbers, as in client.proto."""

WIRE: Final = Wire(TAGS)


class ProtobufCodec:
    """Codec for binary frames."""

    name: Final = "protobuf"
    is_binary: Final = True
    ping: Final = b"\0"

    def decode(self, frame: bytes) -> list[Command]:
        """Every command of a frame. Raises ProtocolError for anything that is not a frame of commands."""
        if len(frame) > MAX_FRAME_BYTES:
            raise ProtocolError(f"frame of {len(frame)} bytes")
        if not frame:
            raise ProtocolError("empty frame")
        commands: list[Command] = []
        position, end = 0, len(frame)
        try:
            while position < end:
                length, position = read_varint(frame, position, end)
                if length > end - position:
                    raise ProtocolError(f"command of {length} bytes in a frame of {end}")
                if len(commands) == MAX_COMMANDS_PER_FRAME:
                    raise ProtocolError(f"more than {MAX_COMMANDS_PER_FRAME} commands in one frame")
                commands.append(WIRE.decode(Command, frame[position : position + length]))
                position += length
        except WireError as reason:
            raise ProtocolError(f"not a command: {reason}") from None
        return commands

    def tags_filter(self, raw: bytes) -> TagsFilter:
        """The filter in `SubscribeRequest.tf`. Raises InvalidFilter."""
        try:
            return TagsFilter(WIRE.decode(FilterNode, raw))
        except (WireError, RecursionError) as reason:
            raise InvalidFilter(str(reason)) from None

    def encode(self, reply: Reply) -> bytes:
        """One message with its length before it."""
        content = WIRE.encode(reply)
        out = bytearray()
        write_varint(out, len(content))
        return bytes(out) + content

    def join(self, messages: Sequence[bytes]) -> bytes:
        """Messages one after another: each carries its own length."""
        return messages[0] if len(messages) == 1 else b"".join(messages)


PROTOBUF: Final = ProtobufCodec()
