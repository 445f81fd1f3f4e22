"""The protocol as JSON: one object per line, payloads embedded as they are."""

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import msgspec

from actors.protocol.codec import MAX_COMMANDS_PER_FRAME, MAX_FRAME_BYTES, ProtocolError
from actors.protocol.frames import Command, Reply
from actors.protocol.tags_filter import TagsFilter, parse

MAX_NESTING: Final = 128
"""Levels of arrays and objects in a payload. A server in C reads many more, but payloads are handed to every
subscriber, and some SDKs' parsers fail at less than a thousand."""

_ENVELOPE: Final = 2
"""Levels around a payload in its command."""

_STRINGS: Final = re.compile(rb'"(?:[^"\\]+|\\.)*+\\?(?:"|\Z)', re.DOTALL)
"""Strings, also one that never ends: whatever the bytes are, each of them is looked at once."""

_NO_BRACKETS: Final = bytes(sorted(set(range(256)) - set(b"[]{}")))
_STEP: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}

_decoder = msgspec.json.Decoder(Command)
_encoder = msgspec.json.Encoder()
_validator = msgspec.json.Decoder(msgspec.Raw)


class JsonCodec:
    """Codec for text frames."""

    name: Final = "json"
    is_binary: Final = False
    ping: Final = b"{}"

    def decode(self, frame: bytes) -> list[Command]:
        """Every command of a frame. Raises ProtocolError for anything that is not a frame of commands."""
        if len(frame) > MAX_FRAME_BYTES:
            raise ProtocolError(f"frame of {len(frame)} bytes")
        lines = frame.count(b"\n")
        if lines > MAX_COMMANDS_PER_FRAME:
            raise ProtocolError(f"{lines} commands in one frame")
        try:
            if not frame.isascii():
                # Payloads go on to other clients as they are, in text frames: one byte that is not UTF-8 would make
                # every subscriber's WebSocket library close its connection.
                frame.decode("utf-8")
            if too_deep(frame, MAX_NESTING + _ENVELOPE):
                raise ProtocolError("nested too deeply")
            if not lines:
                return [_decoder.decode(frame)]
            if frame.endswith(b"\n"):
                frame = frame[:-1]
            return [_decoder.decode(line) for line in frame.split(b"\n")]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as reason:
            raise ProtocolError(f"not a command: {reason}") from None

    def tags_filter(self, raw: bytes) -> TagsFilter:
        """The filter in `SubscribeRequest.tf`. Raises InvalidFilter."""
        return parse(raw)

    def encode(self, reply: Reply) -> bytes:
        """One message, without a newline: every Raw inside it is free of them."""
        return _encoder.encode(reply)

    def join(self, messages: Sequence[bytes]) -> bytes:
        """Messages separated by newlines."""
        return messages[0] if len(messages) == 1 else b"\n".join(messages)


JSON: Final = JsonCodec()


def too_deep(data: bytes, limit: int = MAX_NESTING) -> bool:
    """Whether JSON text nests deeper than `limit`. Counting is enough for most; only the rest is looked at."""
    if data.count(b"[") + data.count(b"{") <= limit:
        return False
    brackets = _STRINGS.sub(b"", data).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > limit


def single_line(data: bytes) -> bytes:
    """Raw JSON from outside as one line of valid UTF-8. Raises ValueError when it is not JSON or nested too deeply.

    A newline can only be white space in JSON text, because inside a string it is escaped.
    """
    if too_deep(data):
        raise ValueError(f"nested deeper than {MAX_NESTING} levels")
    try:
        if not data.isascii():
            data.decode("utf-8")
        _validator.decode(data)
    except (msgspec.DecodeError, RecursionError) as reason:
        raise ValueError(f"not JSON: {reason}") from None
    return data.replace(b"\n", b" ").strip()
