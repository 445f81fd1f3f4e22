"""What the database says about a credential now."""

from dataclasses import replace
from uuid import UUID

from db.auth import service
from db.auth.repository import Identity
from db.session import Database
from serve_app.security.principal import Method, Principal
from serve_app.security.tokens import AccessClaims


async def check_session(database: Database, claims: AccessClaims, method: Method) -> Principal | None:
    """The principal of an access token; None when its session, its account or its whole generation has ended.

    Roles and permissions are those of this moment, not of the token: a withdrawn role takes effect at once.
    """
    async with database.transaction() as session:
        identity = await service.load_identity(session, claims.subject, session_id=claims.session_id)
        if identity is None or identity.session is None:
            return None
        # Both have a resolution of seconds; sessions of that very second were ended one by one.
        floor = identity.tokens_valid_after
        if floor is not None and claims.issued_at + 1 <= floor.timestamp():
            return None
        await service.touch_session(session, claims.session_id)
        return Principal(
            user_id=claims.subject,
            username=identity.user.username,
            roles=frozenset(identity.roles),
            permissions=identity.permissions,
            method=method,
            session_id=claims.session_id,
            session_expires_at=claims.session_expires_at,
            authenticated_at=claims.authenticated_at,
            is_verified=identity.user.is_verified,
        )


async def check_key(database: Database, key: str, address: str) -> Principal:
    """The principal of an API key. Raises ApiKeyInvalid."""
    async with database.transaction() as session:
        found = await service.verify_api_key(session, key, ip=address)
    principal = principal_of_identity(found.identity, method="api_key", api_key_id=found.key.id)
    return replace(principal, methods=frozenset(found.key.methods), namespaces=frozenset(found.key.namespaces))


def principal_of_identity(identity: Identity, *, method: Method, api_key_id: UUID | None = None) -> Principal:
    """The principal that an identity amounts to."""
    login = identity.session
    return Principal(
        user_id=identity.user.id,
        username=identity.user.username,
        roles=frozenset(identity.roles),
        permissions=identity.permissions,
        method=method,
        session_id=login.id if login is not None else None,
        session_expires_at=int(login.absolute_expires_at.timestamp()) if login is not None else 0,
        authenticated_at=int(login.authenticated_at.timestamp()) if login is not None else 0,
        is_verified=identity.user.is_verified,
        api_key_id=api_key_id,
    )
