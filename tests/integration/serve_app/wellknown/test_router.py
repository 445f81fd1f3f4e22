"""The key set."""

from pathlib import Path

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from serve_app.security.keys import key_id
from tests.factories.auth import make_session, make_user
from tests.fixtures.client import SignIn, StartApi
from tests.fixtures.signing import pem


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


async def test_a_key_that_another_process_signs_with_already_is_good_here_and_published(
    start_api: StartApi, tmp_path: Path
) -> None:
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    file = tmp_path / "signing.pem"
    file.write_bytes(pem(old))
    here = await start_api(signing_key_file=file)
    file.write_bytes(pem(new, old))
    there = await start_api(signing_key_file=file)
    async with there.database.transaction() as session:
        user = await make_user(session)
        opened = await make_session(session, user)
    token, _ = there.resources.issuer.access(
        subject=user.id,
        session_id=opened.session.id,
        username=user.username,
        roles=frozenset({"customer"}),
        permissions=frozenset(),
        authenticated_at=0,
        session_expires_at=2**31,
    )
    assert jwt.get_unverified_header(token)["kid"] == key_id(new.public_key())
    async with here.client() as client:
        answer = await client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        published = (await client.get("/.well-known/jwks.json")).json()["keys"]
    assert [key["kid"] for key in published] == [key_id(key.public_key()) for key in (new, old)]
