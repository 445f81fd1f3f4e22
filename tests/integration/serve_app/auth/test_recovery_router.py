"""Verifying an address, and replacing a forgotten password, over HTTP."""

import asyncio
import time
from statistics import median
from typing import Any

import httpx
import pytest

from db.auth import password_reset, verification
from db.auth.repository import user_by_email
from serve_app.auth import recovery_router
from serve_app.security.quota import Policy
from tests.fixtures.client import Api, SignIn, assert_problem
from tests.fixtures.transactions import rows, value

EMAIL, PASSWORD, NEW = "ada@example.com", "blue kettle on fire", "green teapot in the rain"
ACCOUNT = {"email": EMAIL, "username": "ada", "password": PASSWORD}


async def register(client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/v1/auth/register", json=ACCOUNT)).status_code == 201


async def log_in(client: httpx.AsyncClient, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/api/v1/auth/login", json={"email": EMAIL, "password": password})


async def reset(client: httpx.AsyncClient, token: str, password: str = NEW) -> httpx.Response:
    return await client.post("/api/v1/auth/password/reset", json={"token": token, "new_password": password})


async def reset_link(api: Api) -> str:
    async with api.database.transaction() as session:
        link = await password_reset.begin(session, EMAIL)
    assert link is not None
    return link.text


async def forgot(client: httpx.AsyncClient, email: str) -> httpx.Response:
    return await client.post("/api/v1/auth/password/forgot", json={"email": email})


class TestVerification:
    async def test_the_link_verifies_whoever_follows_it(self, api: Api, client: httpx.AsyncClient):
        await register(client)
        token = (await log_in(client)).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/api/v1/auth/me", headers=bearer)).json()["is_verified"] is False
        async with api.database.transaction() as session:
            user = await user_by_email(session, EMAIL)
            assert user is not None
            secret = await verification.issue(session, user)
        # Also with a credential that has gone stale: mail is often read elsewhere.
        stale = {"Authorization": "Bearer stale"}
        answer = await client.post("/api/v1/auth/email/verify", json={"token": secret}, headers=stale)
        assert (answer.status_code, answer.json()) == (200, {"email": EMAIL})
        assert (await client.get("/api/v1/auth/me", headers=bearer)).json()["is_verified"] is True

    @pytest.mark.parametrize("token", ["x", "mot_" + "A" * 43])
    async def test_another_link_is_refused(self, client: httpx.AsyncClient, token: str):
        answer = await client.post("/api/v1/auth/email/verify", json={"token": token})
        assert assert_problem(answer, 422, "link_invalid")["errors"][0]["pointer"] == "#/token"

    async def test_is_sent_again_within_limits(self, client: httpx.AsyncClient, sign_in: SignIn, api: Api):
        await register(client)
        client.headers["Authorization"] = f"Bearer {(await log_in(client)).json()['access_token']}"
        assert (await client.post("/api/v1/auth/email/verification")).status_code == 202
        again = await client.post("/api/v1/auth/email/verification")
        assert_problem(again, 429, "too_many_mails")
        assert 50 <= int(again.headers["retry-after"]) <= 60
        verified = await (await sign_in()).http.post("/api/v1/auth/email/verification")
        assert_problem(verified, 409, "email_already_verified")


class TestForgotten:
    async def test_answers_everybody_alike(self, api: Api, client: httpx.AsyncClient):
        await register(client)
        known, unknown = await forgot(client, EMAIL), await forgot(client, "nobody@example.com")
        assert known.status_code == unknown.status_code == 202
        assert known.json() == unknown.json()
        assert len(await rows(api.database, "SELECT 1 FROM app.domain_events WHERE type LIKE '%reset%'")) == 2

    async def test_takes_as_long_for_everybody(
        self, api: Api, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ):
        """The same statements run for both; here the clock agrees, to within what a test machine allows."""
        monkeypatch.setattr(recovery_router, "FORGOTTEN", Policy("t", quota=10_000))
        await register(client)
        times: dict[str, list[float]] = {EMAIL: [], "nobody@example.com": []}
        for _ in range(20):
            for email, taken in times.items():
                began = time.perf_counter()
                assert (await forgot(client, email)).status_code == 202
                taken.append(time.perf_counter() - began)
        known, unknown = (median(taken) for taken in times.values())
        assert 0.5 < known / unknown < 2

    async def test_is_limited_per_address(self, client: httpx.AsyncClient, api: Api, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(recovery_router, "FORGOTTEN", Policy("t", quota=2, window_s=3600))
        for number in range(2):
            assert (await forgot(client, f"victim{number}@example.com")).status_code == 202
        refused = await forgot(client, "victim3@example.com")
        assert_problem(refused, 429, "too_many_mails")
        assert int(refused.headers["retry-after"]) > 60
        async with api.client(address="198.51.100.7") as elsewhere:
            assert (await forgot(elsewhere, EMAIL)).status_code == 202


class TestReset:
    async def test_replaces_the_password_and_ends_everything(self, api: Api, client: httpx.AsyncClient):
        await register(client)
        before: dict[str, Any] = (await log_in(client)).json()
        bearer = {"Authorization": f"Bearer {before['access_token']}"}
        assert (await client.get("/api/v1/auth/me", headers=bearer)).status_code == 200
        secret = await reset_link(api)
        assert (await reset(client, secret)).status_code == 204
        assert_problem(await client.get("/api/v1/auth/me", headers=bearer), 401, "credential_invalid")
        refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": before["refresh_token"]})
        assert_problem(refreshed, 401, "refresh_token_invalid")
        assert api.sessions.revoked == [(before["user"]["id"], "")]  # sockets close with 3503
        assert_problem(await log_in(client), 401, "invalid_credentials")
        after = (await log_in(client, NEW)).json()
        assert after["user"]["is_verified"] is True
        types = {row[0] for row in await rows(api.database, "SELECT type FROM app.domain_events")}
        assert "user.password_changed" in types
        assert await value(api.database, "SELECT count(*) FROM audit.entries WHERE action = 'password.reset'") == 1

    async def test_the_link_works_once_even_for_two_at_a_time(self, api: Api, client: httpx.AsyncClient):
        await register(client)
        secret = await reset_link(api)
        answers = await asyncio.gather(*(reset(client, secret, f"{NEW} {number}") for number in range(3)))
        assert sorted(answer.status_code for answer in answers) == [204, 422, 422]
        assert_problem(await reset(client, secret), 422, "link_invalid")

    async def test_a_poor_password_is_refused_and_does_not_spend_the_link(self, api: Api, client: httpx.AsyncClient):
        await register(client)
        secret = await reset_link(api)
        problem = assert_problem(await reset(client, secret, "password1234!"), 422, "password_too_weak")
        assert problem["errors"][0]["pointer"] == "#/new_password"
        assert_problem(await reset(client, secret, "ada ada ada ada"), 422, "password_too_weak")
        assert (await reset(client, secret)).status_code == 204

    async def test_a_link_that_verifies_resets_nothing(self, api: Api, client: httpx.AsyncClient):
        await register(client)
        async with api.database.transaction() as session:
            user = await user_by_email(session, EMAIL)
            assert user is not None
            secret = await verification.issue(session, user)
        assert_problem(await reset(client, secret), 422, "link_invalid")
