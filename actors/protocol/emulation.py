"""What a client posts beside a stream that only carries replies: commands, and the session that they belong to."""

from collections.abc import Mapping
from typing import Final

import msgspec

from actors.protocol.frames import EMPTY, Message
from actors.protocol.protobuf_wire import Wire, WireError


class EmulationRequest(Message):
    """`data` is a frame of commands in the connection's encoding; in JSON it travels as a string."""

    node: str = ""
    session: str = ""
    data: msgspec.Raw = EMPTY


class _JsonRequest(msgspec.Struct):
    node: str = ""
    session: str = ""
    data: str = ""


TAGS: Final[Mapping[type[msgspec.Struct], Mapping[str, int]]] = {EmulationRequest: {"node": 1, "session": 2, "data": 3}}
"""Field numbers, as in client.proto."""

_wire: Final = Wire(TAGS)
_json: Final = msgspec.json.Decoder(_JsonRequest)


class NoEmulationRequest(ValueError):
    """A body that cannot be read, or that lacks a field."""


def decode(body: bytes, *, binary: bool) -> tuple[str, str, bytes]:
    """(node, session, frame) of a request body: Protobuf when `binary`, else JSON. Raises NoEmulationRequest."""
    try:
        if binary:
            request = _wire.decode(EmulationRequest, body)
            node, session, data = request.node, request.session, bytes(request.data)
        else:
            parsed = _json.decode(body)
            node, session, data = parsed.node, parsed.session, parsed.data.encode()
    except (WireError, msgspec.DecodeError, UnicodeError, RecursionError) as reason:
        raise NoEmulationRequest(f"not an emulation request: {reason}") from None
    if not (node and session and data):
        raise NoEmulationRequest("node, session and data must all be there")
    return node, session, data
