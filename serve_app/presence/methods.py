"""User presence over rpc: `presence.users` and `presence.status`."""

from collections.abc import Callable
from typing import Annotated, Final

import msgspec

from actors.protocol import codes
from actors.sessions.contract import SessionClient
from db.errors import DomainError, InvalidInput
from db.presence import service
from db.session import Database
from serve_app.presence.reading import present_users
from serve_app.realtime.calls import CallError
from serve_app.realtime.handlers import Caller, Handlers

USERS: Final = "presence.users"
STATUS: Final = "presence.status"


class UsersBody(msgspec.Struct):
    """What `presence.users` is given."""

    users: Annotated[list[str], msgspec.Meta(min_length=1, max_length=service.MAX_USERS)]


class StatusBody(msgspec.Struct):
    """What `presence.status` is given."""

    status: str
    message: str = ""
    expires_in: Annotated[int, msgspec.Meta(ge=1, le=service.MAX_EXPIRY_S)] | None = None


_users = msgspec.json.Decoder(UsersBody)
_status = msgspec.json.Decoder(StatusBody)


class PresenceMethods:
    """The methods of one process. `sessions()` is its client of the session shards."""

    def __init__(self, database: Database, sessions: Callable[[], SessionClient | None]) -> None:
        self._database = database
        self._sessions = sessions

    def register(self, handlers: Handlers) -> None:
        """Offer both."""
        handlers.rpc(USERS, self.users)
        handlers.rpc(STATUS, self.status)

    async def users(self, caller: Caller, data: bytes) -> bytes:
        """Who of these is online. Raises CallError 100, 103 or 107."""
        _require_user(caller)
        try:
            body = _users.decode(data)
        except msgspec.DecodeError as reason:
            raise CallError(codes.ERROR_BAD_REQUEST.code, str(reason)) from reason
        return await self._answer(body.users)

    async def status(self, caller: Caller, data: bytes) -> bytes:
        """Say something about oneself; answers one's presence. Raises CallError 100, 103 or 107."""
        _require_user(caller)
        try:
            body = _status.decode(data)
            async with self._database.transaction() as session:
                await service.set_status(
                    session, caller.user, status=body.status, message=body.message, expires_in_s=body.expires_in
                )
        except (msgspec.DecodeError, InvalidInput) as reason:
            raise CallError(codes.ERROR_BAD_REQUEST.code, str(reason)) from reason
        except DomainError as reason:
            raise CallError(codes.ERROR_INTERNAL.code, str(reason)) from reason
        return await self._answer([caller.user])

    async def _answer(self, users: list[str]) -> bytes:
        sessions = self._sessions()
        if sessions is None:
            raise CallError(codes.ERROR_INTERNAL.code, "who is connected cannot be read now")
        try:
            found = await present_users(self._database, sessions, users)
        except InvalidInput as reason:
            raise CallError(codes.ERROR_BAD_REQUEST.code, str(reason)) from reason
        except DomainError as reason:
            raise CallError(codes.ERROR_INTERNAL.code, str(reason)) from reason
        return msgspec.json.encode({"users": found})


def _require_user(caller: Caller) -> None:
    if not caller.user:
        raise CallError(codes.ERROR_PERMISSION_DENIED.code)
