"""What a committed transaction sets off: handlers of the effects that services record (`db.effects`).

Each is a shortcut for a row that its owner would find anyway, only later. `Database` bounds them and logs what fails.
"""

from collections.abc import Sequence

from actors.protocol import codes
from actors.protocol.namespaces import Namespaces
from db.effects import (
    CacheInvalidated,
    ChannelLeft,
    JobsEnqueued,
    PositionRead,
    PublicationsQueued,
    SessionsRevoked,
    TokensRevoked,
    UserBlocked,
    UserMessaged,
    enqueued,
)
from serve_app.middleware.cache_version import note_version
from serve_app.realtime.reading import announcer
from serve_app.resources import Resources


def connect_effects(resources: Resources) -> None:
    """Register this process's handlers on its database."""
    database, actors = resources.database, resources.actors

    async def wake_jobs(effects: Sequence[JobsEnqueued]) -> None:
        await actors.wake_jobs(enqueued(effects))

    async def poke_channels(effects: Sequence[PublicationsQueued]) -> None:
        await actors.poke_channels(sorted({channel for effect in effects for channel in effect.channels}))

    async def invalidate(effects: Sequence[CacheInvalidated]) -> None:
        # Awaited before the response leaves, so that a writer's own next read is fresh (DESIGN §5, 13).
        if actors.cache is not None:
            keys = sorted({key for effect in effects for key in effect.keys})
            tags = sorted({tag for effect in effects for tag in effect.tags})
            note_version(await actors.cache.invalidate(keys=keys, tags=tags))

    async def revoke(effects: Sequence[SessionsRevoked]) -> None:
        for effect in effects:
            if effect.session_id is None:
                resources.authenticator.forget(user_id=effect.user_id)
            else:
                resources.authenticator.forget(session_id=effect.session_id)
            if actors.sessions is not None:
                session = "" if effect.session_id is None else str(effect.session_id)
                await actors.sessions.revoke(str(effect.user_id), session=session)

    namespaces = resources.namespaces = Namespaces.load(resources.settings.namespaces_file)
    database.on_commit(PositionRead, announcer(lambda: actors.brokers, lambda: namespaces))

    async def send_messages(effects: Sequence[UserMessaged]) -> None:
        if actors.sessions is not None:
            for effect in effects:
                await actors.sessions.send_to_user(effect.user, effect.data)

    database.on_commit(JobsEnqueued, wake_jobs)
    database.on_commit(PublicationsQueued, poke_channels)
    database.on_commit(CacheInvalidated, invalidate)

    async def revoke_tokens(effects: Sequence[TokensRevoked]) -> None:
        for effect in effects:
            if actors.sessions is not None:
                await actors.sessions.revoke_tokens(
                    user=effect.user,
                    token_id=effect.token_id,
                    issued_before_ms=effect.issued_before_ms,
                    channel=effect.channel,
                )

    async def block_users(effects: Sequence[UserBlocked]) -> None:
        for effect in effects:
            if actors.sessions is not None:
                await actors.sessions.block(effect.user, until_ms=effect.until_ms)

    async def take_channels_away(effects: Sequence[ChannelLeft]) -> None:
        code = codes.UNSUBSCRIBE_SERVER
        for effect in effects:
            if actors.sessions is not None:
                await actors.sessions.unsubscribe_user(effect.user, effect.channel, code=code.code, reason=code.reason)

    database.on_commit(ChannelLeft, take_channels_away)
    database.on_commit(SessionsRevoked, revoke)
    database.on_commit(TokensRevoked, revoke_tokens)
    database.on_commit(UserBlocked, block_users)
    database.on_commit(UserMessaged, send_messages)
