"""Handing out the tokens of a login session."""

import pytest
from fastapi import Response

from db.auth import service
from db.auth.errors import RefreshTokenInvalid
from serve_app.auth.opening import hand_out
from tests.factories.auth import make_session
from tests.fixtures.client import Api


async def test_the_token_carries_the_session(api: Api):
    async with api.database.transaction() as session:
        opened = await make_session(session)
        tokens = await hand_out(session, opened, resources=api.resources, response=Response(), cookies=False)
    assert tokens.access_token is not None
    claims = api.resources.verifier.verify_access(tokens.access_token)
    assert (claims.subject, claims.session_id) == (opened.user.id, opened.session.id)
    assert claims.session_expires_at == int(opened.session.absolute_expires_at.timestamp())
    assert "orders:place" in claims.permissions
    assert tokens.refresh_token == opened.refresh_token


async def test_in_cookies_it_is_nowhere_else(api: Api):
    response = Response()
    async with api.database.transaction() as session:
        opened = await make_session(session)
        tokens = await hand_out(session, opened, resources=api.resources, response=response, cookies=True)
    assert (tokens.access_token, tokens.refresh_token) == (None, None)
    refresh = next(cookie for cookie in response.headers.getlist("set-cookie") if "refresh" in cookie)
    assert opened.refresh_token in refresh
    assert "Max-Age=604800" in refresh


async def test_an_account_that_ended_meanwhile_gets_none(api: Api):
    async with api.database.transaction() as session:
        opened = await make_session(session)
        await service.revoke_session(session, opened.user.id, opened.session.id)
        with pytest.raises(RefreshTokenInvalid):
            await hand_out(session, opened, resources=api.resources, response=Response(), cookies=False)
