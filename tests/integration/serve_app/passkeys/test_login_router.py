"""Signing in with a passkey over HTTP: it ends where every way of signing in ends."""

from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import pytest

from db.auth.models import User
from tests.factories.auth import make_user
from tests.fixtures.authenticator import TRUTH, Authenticator, Lie
from tests.fixtures.client import Api, StartApi, assert_problem
from tests.fixtures.passkeys import add
from tests.fixtures.second_factor import enrol
from tests.fixtures.transactions import in_transaction, rows, value

PATH = "/api/v1/auth/login/passkey"
OURS = {"Origin": "http://shop.test", "X-Mobula-CSRF": "1"}


@dataclass
class Holder:
    """Ada, who is not signed in, and her authenticator."""

    api: Api
    user: User
    authenticator: Authenticator = field(default_factory=Authenticator)

    async def answer(self, http: httpx.AsyncClient, lie: Lie = TRUTH) -> dict[str, Any]:
        asked = await http.post(f"{PATH}/options")
        assert asked.status_code == 200, asked.text
        assert asked.headers["cache-control"] == "no-store"
        return self.authenticator.get(asked.json()["options"], lie)

    async def sign_in(self, http: httpx.AsyncClient, lie: Lie = TRUTH, **changes: Any) -> httpx.Response:
        body = {"credential": await self.answer(http, lie)} | changes
        return await http.post(PATH, json=body, headers=OURS)


async def holder(api: Api) -> Holder:
    user = await in_transaction(api.database, lambda s: make_user(s, username="ada", roles=("operator",)))
    made = Holder(api, user)
    await add(api.database, user, made.authenticator)
    return made


@pytest.fixture
async def ada(api: Api) -> Holder:
    return await holder(api)


async def test_opens_a_session_with_tokens(ada: Holder, client: httpx.AsyncClient):
    signed_in = await ada.sign_in(client)
    assert signed_in.status_code == 200, signed_in.text
    body = signed_in.json()
    assert body["user"]["username"] == "ada"
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert claims["amr"] == ["passkey", "mfa"]
    client.headers["Authorization"] = f"Bearer {body['access_token']}"
    [session] = (await client.get("/api/v1/auth/sessions")).json()["items"]
    assert (session["methods"], session["current"], session["ip"]) == (["passkey"], True, "192.0.2.1")
    renewed = await client.post("/api/v1/auth/refresh", json={"refresh_token": body["refresh_token"]})
    assert jwt.decode(renewed.json()["access_token"], options={"verify_signature": False})["amr"] == claims["amr"]
    assert await value(ada.api.database, "SELECT user_agent IS NOT NULL FROM auth.sessions") is True


async def test_or_with_cookies(ada: Holder, client: httpx.AsyncClient):
    signed_in = await ada.sign_in(client, mode="cookie")
    assert signed_in.status_code == 200, signed_in.text
    assert signed_in.json()["access_token"] is None
    assert (await client.get("/api/v1/auth/me")).json()["username"] == "ada"


async def test_a_foreign_page_cannot(ada: Holder, client: httpx.AsyncClient):
    body = {"credential": await ada.answer(client), "mode": "cookie"}
    forged = await client.post(PATH, json=body, headers={"Origin": "https://evil.example"})
    assert_problem(forged, 403, "csrf_failed")
    assert (await client.post(PATH, json=body, headers=OURS)).status_code == 200


async def test_no_code_is_asked_for(ada: Holder, client: httpx.AsyncClient):
    await enrol(ada.api.database, ada.user)
    assert (await ada.sign_in(client)).status_code == 200


async def test_what_operators_may_do_depends_on_the_network(start_api: StartApi):
    ada = await holder(await start_api(operator_networks=["198.51.100.0/24"]))
    held = {}
    for address in ("192.0.2.1", "198.51.100.7"):
        async with ada.api.client(address=address) as http:
            http.headers["Authorization"] = f"Bearer {(await ada.sign_in(http)).json()['access_token']}"
            held[address] = set((await http.get("/api/v1/auth/me")).json()["permissions"])
    assert held["192.0.2.1"] < held["198.51.100.7"]


async def test_every_refusal_looks_the_same(ada: Holder, client: httpx.AsyncClient):
    stranger = Holder(ada.api, ada.user)
    stranger.authenticator.create({"user": {"id": "AAAA"}, "rp": {"id": "shop.test"}, "challenge": "AAAA"})
    answers = [
        await stranger.sign_in(client),
        await ada.sign_in(client, Lie(forged=True)),
        await ada.sign_in(client, Lie(origin="https://evil.example")),
        await ada.sign_in(client, Lie(verified=False)),
    ]
    async with ada.api.database.transaction() as session:
        user = await session.get_one(User, ada.user.id)
        user.is_active = False
    answers.append(await ada.sign_in(client))
    problems = [assert_problem(refused, 401, "passkey_invalid") for refused in answers]
    for problem in problems:
        del problem["request_id"]
    assert all(problem == problems[0] for problem in problems)
    assert await rows(ada.api.database, "SELECT id FROM auth.sessions") == []


async def test_a_challenge_works_once(ada: Holder, client: httpx.AsyncClient):
    body = {"credential": await ada.answer(client)}
    assert (await client.post(PATH, json=body)).status_code == 200
    assert_problem(await client.post(PATH, json=body), 401, "passkey_challenge_invalid")


async def test_failures_of_an_address_slow_it_down(start_api: StartApi):
    ada = await holder(await start_api(login_rate_limit_per_minute=1))
    async with ada.api.client() as http:
        for _ in range(3):
            assert_problem(await ada.sign_in(http, Lie(forged=True)), 401, "passkey_invalid")
        refused = await ada.sign_in(http)
        assert_problem(refused, 429, "too_many_login_attempts")
        assert 0 < int(refused.headers["retry-after"]) <= 60


async def test_what_is_no_credential_is_a_mistake_in_the_request(ada: Holder, client: httpx.AsyncClient):
    for spoil in ({"type": "password"}, {"rawId": 7}, {"response": {}}, {"id": "x" * 2_000}):
        body = {"credential": await ada.answer(client) | spoil}
        assert_problem(await client.post(PATH, json=body), 422, "validation_failed")
