"""What the database says about a credential."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from db.auth import service
from db.auth.errors import ApiKeyInvalid
from serve_app.security.credentials import check_key, check_session
from serve_app.security.tokens import AccessClaims
from tests.factories.auth import make_api_key, make_session, make_user
from tests.fixtures.client import Api


async def claims(api: Api) -> AccessClaims:
    async with api.database.transaction() as session:
        opened = await make_session(session)
    token, _ = api.resources.issuer.access(
        subject=opened.user.id,
        session_id=opened.session.id,
        username="whatever",
        roles=frozenset({"admin"}),
        permissions=frozenset({"users:write"}),
        authenticated_at=0,
        session_expires_at=int(opened.session.absolute_expires_at.timestamp()),
    )
    return api.resources.verifier.verify_access(token)


async def test_the_database_decides_what_one_may(api: Api):
    held = await claims(api)
    principal = await check_session(api.database, held, "bearer")
    assert principal is not None
    assert principal.roles == {"customer"}
    assert not principal.may("users:write")
    assert principal.session_id == held.session_id


async def test_ended_sessions_are_nobody(api: Api):
    held = await claims(api)
    async with api.database.transaction() as session:
        await service.revoke_session(session, held.subject, held.session_id)
    assert await check_session(api.database, held, "bearer") is None


async def test_older_tokens_end_with_a_log_out_everywhere(api: Api):
    """Even where the session itself were still alive."""
    held = await claims(api)
    async with api.database.transaction() as session:
        await session.execute(text("UPDATE auth.users SET tokens_valid_after = now() + interval '5 seconds'"))
    assert await check_session(api.database, held, "bearer") is None


async def test_keys(api: Api):
    async with api.database.transaction() as session:
        owner = await make_user(session)
        key = await make_api_key(session, owner, scopes=("orders:read",), expires_in=timedelta(days=1))
    principal = await check_key(api.database, key.text, "192.0.2.1")
    assert (principal.user_id, principal.method, principal.session_id) == (owner.id, "api_key", None)
    assert principal.permissions == {"orders:read"}
    async with api.database.transaction() as session:
        await session.execute(text("UPDATE auth.api_keys SET expires_at = now()"))
    with pytest.raises(ApiKeyInvalid):
        await check_key(api.database, key.text, "192.0.2.1")
