"""Frames of either encoding as an operator may read them: JSON values, secrets redacted, long ones cut.

Used for connections that are being traced, and when an operator asks for the last frames of one.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import orjson

from actors.protocol.codec import Codec, ProtocolError
from actors.protocol.frames import Reply
from actors.protocol.protobuf_codec import PROTOBUF, WIRE
from actors.protocol.protobuf_wire import WireError, read_varint
from cluster.logging import REDACTED, clean

FRAME_BYTES: Final = 2_048
"""A longer frame is shown up to here."""


def commands(codec: Codec, frame: bytes) -> Iterator[Any]:
    """What a client sent."""
    if codec.is_binary:
        try:
            for command in PROTOBUF.decode(frame):
                yield _of_struct(command)
        except ProtocolError:
            yield _unreadable(frame)
        return
    for line in frame.split(b"\n"):
        if line.strip():
            yield _of_json(line)


def replies(codec: Codec, messages: Sequence[bytes]) -> Iterator[Any]:
    """What a client was sent: messages as the codec encoded them."""
    for message in messages:
        if not codec.is_binary:
            yield _of_json(message)
            continue
        try:
            _, start = read_varint(message, 0, len(message))
            yield _of_struct(WIRE.decode(Reply, message[start:]))
        except WireError:
            yield _unreadable(message)


def readable(value: Any) -> Any:
    """A decoded frame without its secrets, or its beginning when it is long."""
    try:
        shown = _hide_credentials(clean("", value))
        text = orjson.dumps(shown)
    except (RecursionError, orjson.JSONEncodeError):
        return {"unreadable": True}
    if len(text) <= FRAME_BYTES:
        return shown
    return {"bytes": len(text), "start": text[:FRAME_BYTES].decode("utf-8", "replace")}


def _hide_credentials(value: Any) -> Any:
    """What `connect` and its reply hold beside the token.

    Headers that a client emulates may be named anything, and hold anything; whoever knows an emulated session's id may
    post commands for it.
    """
    connect = value.get("connect") if isinstance(value, dict) else None
    if isinstance(connect, dict):
        if isinstance(connect.get("headers"), dict):
            connect["headers"] = dict.fromkeys(connect["headers"], REDACTED)
        if "session" in connect:
            connect["session"] = REDACTED
    return value


def _of_json(text: bytes) -> Any:
    try:
        return readable(orjson.loads(text))
    except orjson.JSONDecodeError:
        return _unreadable(text)


def _of_struct(message: msgspec.Struct) -> Any:
    """Payloads are raw bytes in it: JSON mostly, and otherwise nothing that could be shown."""
    try:
        return readable(orjson.loads(msgspec.json.encode(message)))
    except orjson.JSONDecodeError:
        held = [name for name in message.__struct_fields__ if name != "id" and getattr(message, name) is not None]
        return {"unreadable": True, "kind": held[0] if held else ""}


def _unreadable(frame: bytes) -> Any:
    return {"unreadable": True, "bytes": len(frame)}
