"""The chain over the whole application: limits, origins, versions, credentials."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.fixtures.client import SIGNING_KEYS, Api, Person, SignIn, StartApi, assert_problem

PATH = "/api/v1/categories"


class TestRateLimit:
    async def test_429_with_the_standard_fields(self, start_api: StartApi):
        api = await start_api(rate_limit_per_minute=3)
        async with api.client() as client:
            answers = [await client.get(PATH) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
            problem = assert_problem(answers[-1], 429, "rate_limited")
            assert problem["violated-policies"] == ["default"]
            assert answers[-1].headers["ratelimit-policy"] == '"default";q=3;w=60'
            assert 0 < int(answers[-1].headers["retry-after"]) <= 60
            assert (await client.get("/health/live")).status_code == 200
        async with api.client(address="192.0.2.2") as other:
            assert (await other.get(PATH)).status_code == 200

    async def test_a_spoofed_address_does_not_help(self, start_api: StartApi):
        api = await start_api(rate_limit_per_minute=2)
        async with api.client() as client:
            answers = [
                await client.get(PATH, headers={"X-Forwarded-For": f"203.0.113.{number}"}) for number in range(3)
            ]
            assert answers[-1].status_code == 429

    async def test_behind_a_trusted_proxy_callers_are_told_apart(self, start_api: StartApi):
        api = await start_api(rate_limit_per_minute=1)
        async with api.client(address="127.0.0.1") as proxy:
            for number in range(3):
                response = await proxy.get(PATH, headers={"X-Forwarded-For": f"spoofed, 203.0.113.{number}"})
                assert response.status_code == 200

    async def test_counts_are_shared_through_valkey(self, start_api: StartApi, redis_url: str):
        one = await start_api(rate_limit_per_minute=4, redis_url=redis_url)
        two = await start_api(rate_limit_per_minute=4, redis_url=redis_url)
        async with one.client() as first, two.client() as second:
            statuses = [(await client.get(PATH)).status_code for client in (first, second, first, second, first)]
        assert statuses == [200, 200, 200, 200, 429]


class TestCors:
    async def test_our_front_end(self, client: httpx.AsyncClient):
        response = await client.get(PATH, headers={"Origin": "http://shop.test"})
        assert response.headers["access-control-allow-origin"] == "http://shop.test"
        assert response.headers["access-control-allow-credentials"] == "true"
        assert "ETag" in response.headers["access-control-expose-headers"]

    async def test_preflight(self, client: httpx.AsyncClient):
        headers = {
            "Origin": "http://shop.test",
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "if-match, x-mobula-csrf",
        }
        response = await client.options("/api/v1/auth/me", headers=headers)
        assert response.status_code == 200
        assert "PATCH" in response.headers["access-control-allow-methods"]

    @pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://shop.test.evil.test"])
    async def test_others_get_nothing(self, client: httpx.AsyncClient, origin: str):
        response = await client.get(PATH, headers={"Origin": origin})
        assert "access-control-allow-origin" not in response.headers


class TestVersions:
    @pytest.mark.parametrize(
        ("path", "headers"),
        [
            ("/api/v1/categories", {}),
            ("/api/categories?version=1", {}),
            ("/api/categories", {"Accept": "application/vnd.mobula.v1+json"}),
        ],
    )
    async def test_three_ways(self, client: httpx.AsyncClient, path: str, headers: dict[str, str]):
        response = await client.get(path, headers=headers)
        assert response.status_code == 200, response.text
        assert response.headers["api-version"] == "1"
        assert "Accept" in response.headers["vary"]

    @pytest.mark.parametrize(
        ("path", "headers"),
        [
            ("/api/v2/categories", {}),
            ("/api/categories?version=2", {}),
            ("/api/categories", {"Accept": "application/vnd.mobula.v9+json"}),
        ],
    )
    async def test_unknown_ones_are_406(self, client: httpx.AsyncClient, path: str, headers: dict[str, str]):
        assert_problem(await client.get(path, headers=headers), 406, "unknown_version")

    async def test_the_query_keeps_its_other_parts(self, client: httpx.AsyncClient):
        response = await client.get("/api/products?version=1&sort=-price&q=%C3%A9clair")
        assert response.status_code == 200, response.text
        assert response.json()["_links"]["self"]["href"].startswith("/api/v1/products?sort=-price")

    async def test_without_a_version_it_is_another_address(self, client: httpx.AsyncClient):
        assert_problem(await client.get("/api/categories"), 404, "not_found")


class TestHeaders:
    @pytest.mark.parametrize("path", [PATH, "/nowhere", "/health", "/api/v1/auth/me", "/docs"])
    async def test_everywhere(self, client: httpx.AsyncClient, path: str):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        for part in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
            assert part in headers["content-security-policy"]
        assert headers["content-type"]

    async def test_request_ids(self, client: httpx.AsyncClient):
        echoed = await client.get(PATH, headers={"X-Request-ID": "trace-me-1234"})
        assert echoed.headers["x-request-id"] == "trace-me-1234"
        for unusable in ("short", "with space here", "x" * 65, "line\tbreak-123"):
            minted = (await client.get(PATH, headers={"X-Request-ID": unusable})).headers["x-request-id"]
            assert minted != unusable
            assert len(minted) == 32


class TestBodies:
    async def test_too_large_by_its_length(self, client: httpx.AsyncClient):
        response = await client.post("/api/v1/auth/login", content=b"x" * (2 * 1024 * 1024 + 1))
        assert_problem(response, 413, "content_too_large")

    async def test_too_large_in_pieces(self, client: httpx.AsyncClient):
        async def pieces():
            for _ in range(33):
                yield b"x" * 65536

        headers = {"Content-Type": "application/json"}
        response = await client.post("/api/v1/auth/login", content=pieces(), headers=headers)
        assert response.status_code == 413
        assert response.headers["content-type"] == "application/problem+json"


def claims_of(person: Person, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": "http://shop.test",
        "aud": "api",
        "sub": str(person.user.id),
        "sid": person.session_id,
        "jti": uuid4().hex,
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        "scope": "users:read",
        "roles": ["admin"],
        "username": person.user.username,
        "auth_time": now,
        "session_exp": now + 3600,
    } | changes
    return {name: value for name, value in claims.items() if value is not None}


def signed(claims: dict[str, Any], **headers: Any) -> str:
    given = {"kid": SIGNING_KEYS.kid, "typ": "at+jwt"} | headers
    return jwt.encode(claims, SIGNING_KEYS.signing, algorithm="EdDSA", headers=given)


def with_public_key_as_secret(claims: dict[str, Any]) -> str:
    public = SIGNING_KEYS.verifying[SIGNING_KEYS.kid].public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    return jwt.encode(claims, public, algorithm="HS256", headers={"kid": SIGNING_KEYS.kid, "typ": "at+jwt"})


FORGERIES: dict[str, Callable[[Person], str]] = {
    "alg none": lambda person: jwt.encode(
        claims_of(person), None, algorithm="none", headers={"kid": SIGNING_KEYS.kid, "typ": "at+jwt"}
    ),
    "HS256 with the public key": lambda person: with_public_key_as_secret(claims_of(person)),
    "another key": lambda person: jwt.encode(
        claims_of(person),
        Ed25519PrivateKey.generate(),
        algorithm="EdDSA",
        headers={"kid": SIGNING_KEYS.kid, "typ": "at+jwt"},
    ),
    "unknown kid": lambda person: signed(claims_of(person), kid="other"),
    "no kid": lambda person: signed(claims_of(person), kid=""),
    "wrong typ": lambda person: signed(claims_of(person), typ="connect+jwt"),
    "plain typ": lambda person: signed(claims_of(person), typ="JWT"),
    "jku": lambda person: signed(claims_of(person), jku="http://evil.test/keys"),
    "jwk": lambda person: signed(claims_of(person), jwk={"kty": "OKP"}),
    "wrong audience": lambda person: signed(claims_of(person, aud="realtime")),
    "wrong issuer": lambda person: signed(claims_of(person, iss="http://evil.test")),
    "from the future": lambda person: signed(claims_of(person, nbf=int(time.time()) + 600)),
    "no expiry": lambda person: signed(claims_of(person, exp=None)),
    "no session": lambda person: signed(claims_of(person, sid=None)),
    "somebody else's session": lambda person: signed(claims_of(person, sub=str(uuid4()))),
    "a flipped bit": lambda person: signed(claims_of(person))[:-4] + "AAAA",
    "nonsense": lambda _: "a.b.c",
    "nothing": lambda _: "",
}


class TestCredentials:
    @pytest.mark.parametrize("forgery", FORGERIES)
    async def test_forged_tokens_are_401(self, client: httpx.AsyncClient, sign_in: SignIn, forgery: str):
        person = await sign_in()
        token = FORGERIES[forgery](person)
        for path in ("/api/v1/auth/me", PATH):  # a bad credential is refused where none is needed, too
            response = await client.get(path, headers={"Authorization": f"Bearer {token}"})
            assert_problem(response, 401, "credential_invalid")

    async def test_the_same_made_properly_works(self, client: httpx.AsyncClient, sign_in: SignIn):
        person = await sign_in()
        headers = {"Authorization": f"Bearer {signed(claims_of(person))}"}
        assert (await client.get("/api/v1/auth/me", headers=headers)).status_code == 200
        # What the token claims beyond what the database says counts for nothing.
        assert_problem(await client.get("/api/v1/users", headers=headers), 403, "permission_denied")

    async def test_expired_says_so(self, client: httpx.AsyncClient, sign_in: SignIn):
        token = signed(claims_of(await sign_in(), exp=int(time.time()) - 10))
        response = await client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
        assert_problem(response, 401, "token_expired")

    @pytest.mark.parametrize("authorization", ["Basic YTpi", "Bearer", "token"])
    async def test_other_schemes(self, client: httpx.AsyncClient, authorization: str):
        response = await client.get("/api/v1/auth/me", headers={"Authorization": authorization})
        assert_problem(response, 401, "credential_invalid")

    @pytest.mark.parametrize("key", ["sk_live_x", "", "sk_live_aaaaaaaa_" + "b" * 43 + "_00000000"])
    async def test_unknown_keys(self, client: httpx.AsyncClient, key: str):
        response = await client.get("/api/v1/auth/me", headers={"X-API-Key": key})
        assert_problem(response, 401, "api_key_invalid")

    async def test_revocation_elsewhere_is_noticed(self, start_api: StartApi, sign_in: SignIn, api: Api):
        """Another replica revokes; ours asks the database again after a second at most."""
        other = await start_api()
        person = await sign_in()
        token = person.http.headers["authorization"]
        now = 0.0
        other.resources.authenticator._sessions._clock = lambda: now
        async with other.client(headers={"Authorization": token}) as elsewhere:
            assert (await elsewhere.get("/api/v1/auth/me")).status_code == 200
            assert (await person.http.post("/api/v1/auth/logout")).status_code == 204
            now = 1.01
            assert_problem(await elsewhere.get("/api/v1/auth/me"), 401, "credential_invalid")
