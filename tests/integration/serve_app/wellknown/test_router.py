"""The key set."""

import httpx
import jwt

from tests.fixtures.client import SignIn


async def test_anybody_can_verify_our_tokens(client: httpx.AsyncClient, sign_in: SignIn):
    person = await sign_in()
    response = await client.get("/.well-known/jwks.json")
    assert response.headers["cache-control"] == "public, max-age=300"
    assert "d" not in response.json()["keys"][0], "the private half"
    keys = jwt.PyJWKSet.from_dict(response.json())
    token = person.http.headers["authorization"].removeprefix("Bearer ")
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="api")
    assert claims["sub"] == str(person.user.id)
