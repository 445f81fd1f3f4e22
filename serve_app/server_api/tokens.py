"""Methods that revoke tokens and block users.

Each is one transaction: the row is the truth, closing sockets follows its commit.
"""

from datetime import UTC, datetime
from typing import Any

from actors.protocol import codes
from db.session import Database
from db.sessions import service
from serve_app.server_api import schemas
from serve_app.server_api.registry import ADMIN, Context, Reach, Refused, method


async def revoke_token(context: Context, body: schemas.RevokeToken) -> Any:
    """Refuse the token with this id from now on, and end what it opened: connections with 3503, subscriptions with
    2000.
    """
    async with _database(context).transaction() as session:
        await service.revoke_token(session, body.uid, expire_at=_moment(body.expire_at))
    return {}


async def invalidate_user_tokens(context: Context, body: schemas.InvalidateUserTokens) -> Any:
    """Refuse the user's tokens issued before then, by default until now, and end what they opened.

    With a channel, only the user's subscription tokens for it.
    """
    async with _database(context).transaction() as session:
        await service.invalidate_user_tokens(
            session,
            body.user,
            channel=body.channel,
            issued_before=_moment(body.issued_before),
            expire_at=_moment(body.expire_at),
        )
    return {}


async def block_user(context: Context, body: schemas.BlockUser) -> Any:
    """Refuse every connection of this user from now on, and close those that are open with 3503."""
    async with _database(context).transaction() as session:
        await service.block_user(session, body.user, expire_at=_moment(body.expire_at))
    return {}


async def unblock_user(context: Context, body: schemas.UnblockUser) -> Any:
    """Let this user in again."""
    async with _database(context).transaction() as session:
        await service.unblock_user(session, body.user)
    return {}


def _database(context: Context) -> Database:
    if context.database is None:
        raise Refused(codes.ERROR_NOT_AVAILABLE)
    return context.database


def _moment(seconds: int) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


METHODS = (
    method("revoke_token", ADMIN, schemas.RevokeToken, revoke_token, Reach.EVERYTHING),
    method("invalidate_user_tokens", ADMIN, schemas.InvalidateUserTokens, invalidate_user_tokens, Reach.EVERYTHING),
    method("block_user", ADMIN, schemas.BlockUser, block_user, Reach.EVERYTHING),
    method("unblock_user", ADMIN, schemas.UnblockUser, unblock_user, Reach.EVERYTHING),
)
