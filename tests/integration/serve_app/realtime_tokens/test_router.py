"""Connection tokens."""

import httpx
import pytest

from serve_app.security.tokens import TokenInvalid
from tests.fixtures.client import Api, SignIn, assert_problem


async def test_opens_a_socket_and_nothing_else(api: Api, sign_in: SignIn, client: httpx.AsyncClient):
    person = await sign_in()
    response = await person.http.post("/api/v1/realtime/token")
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert (body["expires_in"], body["url"]) == (60, api.resources.settings.realtime_public_url)
    claims = api.resources.verifier.connection_payload(body["token"])
    assert (claims["sub"], claims["sid"]) == (str(person.user.id), person.session_id)
    assert claims["info"] == {"name": person.user.username}
    assert set(claims["subs"]) == {f"user:#{person.user.id}"}
    assert claims["expire_at"] > claims["exp"]
    used = await client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {body['token']}"})
    assert_problem(used, 401, "credential_invalid")
    access = person.http.headers["authorization"].removeprefix("Bearer ")
    with pytest.raises(TokenInvalid):
        api.resources.verifier.connection_payload(access)


async def test_needs_a_login(client: httpx.AsyncClient):
    assert_problem(await client.post("/api/v1/realtime/token"), 401, "authentication_required")
