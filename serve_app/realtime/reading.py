"""How far people have read: the rpc method `read`, written in batches, and telling the other members.

    read {"channel": "conversation:…", "epoch": "aBcDeFgH", "offset": 17}

answers once the position is committed. What gathers within a moment is one statement, however many people read.

    unread {"channels": ["conversation:…"]}

answers `{"positions": [{"channel", "epoch", "offset", "unread"}]}`: how far the caller has read, and how much is left.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

import msgspec
import structlog

from actors.brokers.contract import BrokerClient, BrokerError, PublishRequest
from actors.protocol import codes
from actors.protocol.channels import InvalidChannel
from actors.protocol.frames import UInt63
from actors.protocol.namespaces import Namespaces, UnknownNamespace
from db.effects import PositionRead
from db.errors import DomainError
from db.read_positions import service
from db.read_positions.service import Mark
from db.session import Database
from serve_app.realtime.calls import CallError
from serve_app.realtime.handlers import Caller, Handlers

READ: Final = "read"
UNREAD: Final = "unread"

GATHER_S: Final = 0.1
"""Marks gather this long: people scroll, and each of their tabs says so."""

logger = structlog.get_logger(__name__)


class MarkBody(msgspec.Struct):
    """What `read` is given."""

    channel: str
    epoch: Annotated[str, msgspec.Meta(pattern="^[^\0]*$")]
    """Without NUL, which no row holds: others' positions are written in the same statement."""
    offset: UInt63


class ChannelsBody(msgspec.Struct):
    """What `unread` is given."""

    channels: Annotated[list[str], msgspec.Meta(max_length=service.MAX_CHANNELS)]


_mark_decoder = msgspec.json.Decoder(MarkBody)
_channels_decoder = msgspec.json.Decoder(ChannelsBody)

BodyT = TypeVar("BodyT")


def _decode(decoder: "msgspec.json.Decoder[BodyT]", data: bytes) -> BodyT:
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as reason:
        raise CallError(codes.ERROR_BAD_REQUEST.code, str(reason)) from reason


@dataclass(slots=True)
class _Waiting:
    mark: Mark
    answer: asyncio.Future[bool]


class Reading:
    """One process's read marks. `namespaces()` are the rules of the moment."""

    def __init__(self, database: Database, namespaces: Callable[[], Namespaces]) -> None:
        self._database = database
        self._namespaces = namespaces
        self._waiting: list[_Waiting] = []
        self._flushing: asyncio.Task[None] | None = None

    def register(self, handlers: Handlers) -> None:
        """Offer the methods."""
        handlers.rpc(READ, self.read)
        handlers.rpc(UNREAD, self.unread)

    async def read(self, caller: Caller, data: bytes) -> bytes:
        """Move the caller's position. Raises CallError 100, 103, 107, 108 or 112."""
        body = _decode(_mark_decoder, data)
        self._check(caller, body.channel)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(Mark(body.channel, caller.user, body.epoch, body.offset), answer))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        if not await answer:
            raise CallError(codes.ERROR_UNRECOVERABLE_POSITION.code)
        return b"{}"

    async def unread(self, caller: Caller, data: bytes) -> bytes:
        """How far the caller has read channels that it is subscribed to. Raises CallError 100, 103, 107 or 108."""
        body = _decode(_channels_decoder, data)
        for channel in body.channels:
            self._check(caller, channel)
        try:
            async with self._database.transaction(read_only=True) as session:
                found = await service.own(session, caller.user, body.channels)
        except DomainError as reason:
            raise CallError(codes.ERROR_INTERNAL.code, str(reason)) from reason
        positions = [
            {"channel": own.channel, "epoch": own.epoch, "offset": own.offset, "unread": own.unread} for own in found
        ]
        return json.dumps({"positions": positions}).encode()

    def _check(self, caller: Caller, channel: str) -> None:
        if not caller.user or channel not in caller.channels:
            raise CallError(codes.ERROR_PERMISSION_DENIED.code)
        if not keeps_positions(self._namespaces(), channel):
            raise CallError(codes.ERROR_NOT_AVAILABLE.code)

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(GATHER_S)
            batch, self._waiting = self._waiting, []
            if not batch:
                return
            try:
                async with self._database.transaction() as session:
                    outcomes = await service.mark_many(session, [waiting.mark for waiting in batch])
            except Exception as reason:
                if not isinstance(reason, DomainError):
                    logger.exception("read positions cannot be written", marks=len(batch))
                for waiting in batch:
                    if not waiting.answer.done():
                        waiting.answer.set_exception(CallError(codes.ERROR_INTERNAL.code, "not written"))
                continue
            for waiting, good in zip(batch, outcomes, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(good)


def keeps_positions(namespaces: Namespaces, channel: str) -> bool:
    """Whether people may say how far they have read this channel."""
    try:
        return namespaces.for_channel(channel).read_positions
    except (UnknownNamespace, InvalidChannel):
        return False


def announcer(
    brokers: Callable[[], BrokerClient | None], namespaces: Callable[[], Namespaces]
) -> Callable[[Iterable[PositionRead]], Awaitable[None]]:
    """A handler of committed positions that tells each channel's members, where its namespace says so."""

    async def announce(effects: Iterable[PositionRead]) -> None:
        client = brokers()
        if client is None:
            return
        told = [effect for effect in effects if _is_told(namespaces(), effect.channel)]
        results = await asyncio.gather(
            *(client.publish(_publication(effect)) for effect in told), return_exceptions=True
        )
        for result in results:
            # A courtesy: whoever asks later reads the row.
            if isinstance(result, BaseException) and not isinstance(result, BrokerError):
                raise result

    return announce


def _is_told(namespaces: Namespaces, channel: str) -> bool:
    return keeps_positions(namespaces, channel) and namespaces.for_channel(channel).push_read_positions


def _publication(effect: PositionRead) -> PublishRequest:
    data: dict[str, Any] = {"type": "read", "user": effect.user, "epoch": effect.epoch, "offset": effect.offset}
    if effect.number:
        data["number"] = effect.number
    # No part of the stream: it must not move the position that it speaks of.
    return PublishRequest(
        effect.channel,
        json.dumps(data, separators=(",", ":")).encode(),
        publication_id=f"read:{effect.user}:{effect.epoch}:{effect.offset}",
        skip_history=True,
    )
