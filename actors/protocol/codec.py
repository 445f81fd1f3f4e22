"""What an encoding of the protocol offers. `json_codec` is one."""

from collections.abc import Sequence
from typing import Protocol

from actors.protocol.codes import DISCONNECT_BAD_REQUEST, DisconnectCode
from actors.protocol.frames import Command, Reply
from actors.protocol.tags_filter import TagsFilter

MAX_FRAME_BYTES = 65_536
"""Longest frame a client may send. The WebSocket layer closes with 1009 before a longer one is in memory."""

MAX_COMMANDS_PER_FRAME = 512
"""SDKs send connect and every pending subscribe in one frame: 128 channels and their calls fit well."""


class ProtocolError(Exception):
    """The client does not speak the protocol: the connection ends with this code."""

    def __init__(self, detail: str, disconnect: DisconnectCode = DISCONNECT_BAD_REQUEST) -> None:
        super().__init__(detail)
        self.disconnect = disconnect


class Codec(Protocol):
    """Bytes of one transport frame to commands, and messages to bytes."""

    @property
    def name(self) -> str:
        """`json` or `protobuf`."""

    @property
    def is_binary(self) -> bool:
        """Whether frames travel as binary WebSocket messages."""

    @property
    def ping(self) -> bytes:
        """The empty reply that serves as the server's ping."""

    def decode(self, frame: bytes) -> list[Command]:
        """Every command of a frame, in order. Raises ProtocolError, and nothing else, for any bytes."""

    def tags_filter(self, raw: bytes) -> TagsFilter:
        """The filter in `SubscribeRequest.tf`. Raises InvalidFilter."""

    def encode(self, reply: Reply) -> bytes:
        """One message."""

    def join(self, messages: Sequence[bytes]) -> bytes:
        """Several messages as one frame's payload."""
