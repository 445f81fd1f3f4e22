"""Methods about users as people: who is online, and what they say about themselves."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from actors.protocol import codes
from db.presence import service
from db.session import Database
from serve_app.presence.reading import PresentUser, present_users
from serve_app.server_api.registry import ADMIN, READ, Context, Reach, Refused, method

UserId = Annotated[str, Meta(min_length=1, max_length=255)]


class Users(Struct):
    """Which users."""

    users: Annotated[list[UserId], Meta(min_length=1, max_length=service.MAX_USERS)]


class UserStatus(Struct):
    """What these users say about themselves."""

    users: Annotated[list[UserId], Meta(min_length=1, max_length=service.MAX_USERS)]
    status: str = ""
    message: str = ""
    expires_in: Annotated[int, Meta(ge=1, le=service.MAX_EXPIRY_S)] | None = None


async def user_presence(context: Context, body: Users) -> Any:
    """Who of these users is online, when they were last active, and their status."""
    return {"users": await present_users(_database(context), context.shards.sessions, body.users)}


async def set_user_status(context: Context, body: UserStatus) -> Any:
    """Set the status of users; an empty one removes it."""
    async with _database(context).transaction() as session:
        for user in sorted(set(body.users)):
            await service.set_status(
                session, user, status=body.status, message=body.message, expires_in_s=body.expires_in
            )
    return {}


async def update_user_status(context: Context, body: Users) -> Any:
    """These users were active just now, in some other way than by being connected."""
    async with _database(context).transaction() as session:
        await service.touch(session, body.users)
    return {}


async def get_user_status(context: Context, body: Users) -> Any:
    """When each user was last active, and now if online, in Unix seconds; 0: never seen, or not online."""
    found = await present_users(_database(context), context.shards.sessions, body.users)
    return {"statuses": [_times(user) for user in found]}


async def delete_user_status(context: Context, body: Users) -> Any:
    """Forget the status of users, and when they were active apart from their sessions."""
    async with _database(context).transaction() as session:
        await service.forget(session, body.users)
    return {}


def _times(user: PresentUser) -> dict[str, str | int]:
    active = 0 if user.last_active_at is None else int(user.last_active_at.timestamp())
    return {"user": user.user, "active": active, "online": active if user.online else 0}


def _database(context: Context) -> Database:
    if context.handlers.database is None:
        raise Refused(codes.ERROR_NOT_AVAILABLE)
    return context.handlers.database


METHODS = (
    method("user_presence", READ, Users, user_presence, Reach.EVERYTHING),
    method("set_user_status", ADMIN, UserStatus, set_user_status, Reach.EVERYTHING),
    method("update_user_status", ADMIN, Users, update_user_status, Reach.EVERYTHING),
    method("get_user_status", READ, Users, get_user_status, Reach.EVERYTHING),
    method("delete_user_status", ADMIN, Users, delete_user_status, Reach.EVERYTHING),
)
