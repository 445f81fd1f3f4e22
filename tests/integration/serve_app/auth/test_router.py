"""Registration, login, refresh, logout."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from db.auth import password_reset
from serve_app.security.cookies import ACCESS, REFRESH
from tests.fixtures.client import Api, StartApi, assert_problem

EMAIL = "ada@example.com"
PASSWORD = "blue kettle on fire"
ACCOUNT = {"email": EMAIL, "username": "ada", "password": PASSWORD}
OURS = {"Origin": "http://shop.test", "X-Mobula-CSRF": "1"}


async def register(client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    return await client.post("/api/v1/auth/register", json=ACCOUNT | changes)


async def log_in(client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    return await client.post("/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD} | changes)


async def me(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})


class TestRegister:
    async def test_answers_the_account_without_its_password(self, client: httpx.AsyncClient):
        response = await register(client)
        assert response.status_code == 201, response.text
        account = response.json()
        assert account["email"] == EMAIL
        assert account["roles"] == ["customer"]
        assert response.headers["location"] == f"/api/v1/users/{account['id']}"
        assert "password" not in response.text

    async def test_a_taken_address_is_409(self, client: httpx.AsyncClient):
        await register(client)
        assert_problem(await register(client, username="other"), 409, "email_taken")
        assert_problem(await register(client, email="other@example.com"), 409, "username_taken")

    async def test_an_address_registers_so_many_accounts_an_hour(self, start_api: StartApi):
        api = await start_api(rate_limit_per_minute=1_000, registrations_per_hour=2)
        outcomes = []
        for number in range(3):  # the same subscriber, from one of his addresses after the other
            async with api.client(address=f"2001:db8:1:2::{number}") as client:
                outcomes.append(await register(client, username=f"ada{number}", email=f"ada{number}@example.com"))
        assert [outcome.status_code for outcome in outcomes[:2]] == [201, 201]
        assert_problem(outcomes[2], 429, "too_many_registrations")
        assert int(outcomes[2].headers["retry-after"]) > 60
        async with api.client(address="2001:db8:1:3::1") as client:
            assert (await register(client)).status_code == 201

    async def test_hidden_accounts_answer_everybody_alike(self, start_api: StartApi):
        api = await start_api(hide_accounts=True)
        async with api.client() as client:
            first, second = await register(client), await register(client)
            assert first.status_code == second.status_code == 202
            assert first.json() == second.json()
            assert (await log_in(client)).status_code == 200
            assert (await register(client, email="other@example.com")).json() == first.json()
        async with api.database.transaction(read_only=True) as session:
            recorded = await session.scalars(text("SELECT payload FROM app.domain_events ORDER BY occurred_at"))
            found = [(event.get("taken", "made"), event["email"]) for event in recorded]
        assert found == [("made", EMAIL), ("email", EMAIL), ("username", "other@example.com")]

    @pytest.mark.parametrize(
        "password", ["passwordpassword", "password1234!", "P4ssw0rd-1234", "aaaaaaaaaaaab", "ada mobula 1"]
    )
    async def test_guessable_passwords_are_refused_with_a_reason(self, client: httpx.AsyncClient, password: str):
        problem = assert_problem(await register(client, password=password), 422, "password_too_weak")
        assert problem["errors"][0]["pointer"] == "#/password"

    @pytest.mark.parametrize(
        "password", ["correct horse battery staple", "żółw śpiewa nocą 🐢", "x" * 20 + "y" * 30 + "qrst" * 10]
    )
    async def test_long_ones_of_any_characters_are_accepted(self, client: httpx.AsyncClient, password: str):
        assert (await register(client, password=password)).status_code == 201
        assert (await log_in(client, password=password)).status_code == 200
        assert_problem(await log_in(client, password=password[:-1]), 401, "invalid_credentials")

    async def test_what_cannot_be_set_is_refused(self, client: httpx.AsyncClient):
        problem = assert_problem(await register(client, is_admin=True, roles=["admin"]), 422, "validation_failed")
        assert {error["pointer"] for error in problem["errors"]} == {"#/is_admin", "#/roles"}

    async def test_the_password_is_never_echoed(self, client: httpx.AsyncClient):
        response = await register(client, password="short one")
        assert_problem(response, 422, "validation_failed")
        assert "short one" not in response.text


class TestLogin:
    async def test_bearer(self, client: httpx.AsyncClient):
        await register(client)
        tokens = (await log_in(client)).json()
        assert tokens["token_type"] == "bearer"
        assert tokens["expires_in"] == 600
        assert tokens["user"]["username"] == "ada"
        assert (await me(client, tokens["access_token"])).json()["email"] == EMAIL

    @pytest.mark.parametrize("email", ["me@xn--bcher-kva.example", "jose\u0301@example.com", "\u0130smail@example.com"])
    async def test_the_address_works_as_it_was_typed_when_registering(
        self, api: Api, client: httpx.AsyncClient, email: str
    ):
        assert (await register(client, email=email)).status_code == 201
        assert (await log_in(client, email=email)).status_code == 200
        assert (await client.post("/api/v1/auth/password/forgot", json={"email": email})).status_code == 202
        async with api.database.transaction() as session:
            asked = "SELECT payload ->> 'email' FROM app.domain_events WHERE type = 'user.password_reset_requested'"
            found = await password_reset.begin(session, (await session.execute(text(asked))).scalar_one())
        assert found is not None

    async def test_wrong_password_and_unknown_account_answer_alike(self, client: httpx.AsyncClient):
        await register(client)
        wrong = assert_problem(await log_in(client, password="something else"), 401, "invalid_credentials")
        unknown = assert_problem(await log_in(client, email="nobody@example.com"), 401, "invalid_credentials")
        assert wrong["detail"] == unknown["detail"]

    async def test_guessing_is_slowed_down(self, start_api: StartApi):
        api = await start_api(login_rate_limit_per_minute=3)
        async with api.client() as client:
            await register(client)
            for _ in range(3):
                assert_problem(await log_in(client, password="a guess of mine"), 401, "invalid_credentials")
            refused = await log_in(client)
            assert_problem(refused, 429, "too_many_login_attempts")
            assert 0 < int(refused.headers["retry-after"]) <= 60

    async def test_cookies_are_out_of_reach(self, client: httpx.AsyncClient):
        await register(client)
        response = await client.post(
            "/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD, "mode": "cookie"}, headers=OURS
        )
        assert response.status_code == 200, response.text
        assert response.json()["access_token"] is None
        assert response.json()["refresh_token"] is None
        cookies = response.headers.get_list("set-cookie")
        assert {cookie.partition("=")[0] for cookie in cookies} == {ACCESS, REFRESH}
        assert all("HttpOnly" in cookie and "SameSite" in cookie for cookie in cookies)
        assert (await client.get("/api/v1/auth/me")).json()["username"] == "ada"

    async def test_production_cookies_are_bound_to_the_host(self, start_api: StartApi):
        api = await start_api(environment="production")
        async with api.client() as client:
            await register(client)
            response = await client.post(
                "/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD, "mode": "cookie"}, headers=OURS
            )
            for cookie in response.headers.get_list("set-cookie"):
                assert cookie.startswith("__Host-")
                assert "Secure" in cookie
                assert "Path=/;" in cookie
            assert "max-age=63072000" in response.headers["strict-transport-security"]

    async def test_a_foreign_page_cannot_sign_anybody_in(self, client: httpx.AsyncClient):
        await register(client)
        foreign = {"Origin": "http://evil.test", "X-Mobula-CSRF": "1"}
        response = await client.post(
            "/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD, "mode": "cookie"}, headers=foreign
        )
        assert_problem(response, 403, "csrf_failed")


class TestCookies:
    @pytest.fixture
    async def browser(self, client: httpx.AsyncClient) -> httpx.AsyncClient:
        await register(client)
        await client.post(
            "/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD, "mode": "cookie"}, headers=OURS
        )
        return client

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"X-Mobula-CSRF": "1"},
            {"Origin": "http://shop.test"},
            {"Origin": "http://evil.test", "X-Mobula-CSRF": "1"},
            {"Sec-Fetch-Site": "cross-site", "X-Mobula-CSRF": "1"},
        ],
    )
    async def test_unsafe_requests_need_header_and_origin(self, browser: httpx.AsyncClient, headers: dict[str, str]):
        response = await browser.patch("/api/v1/auth/me", json={"full_name": "Eve"}, headers=headers)
        assert_problem(response, 403, "csrf_failed")

    @pytest.mark.parametrize("headers", [OURS, {"Sec-Fetch-Site": "same-origin", "X-Mobula-CSRF": "1"}])
    async def test_our_own_pages_may(self, browser: httpx.AsyncClient, headers: dict[str, str]):
        response = await browser.patch("/api/v1/auth/me", json={"full_name": "Ada"}, headers=headers)
        assert response.status_code == 200, response.text
        assert response.json()["full_name"] == "Ada"

    async def test_refresh_and_logout_by_cookie(self, browser: httpx.AsyncClient):
        before = browser.cookies[REFRESH]
        assert_problem(await browser.post("/api/v1/auth/refresh"), 403, "csrf_failed")
        response = await browser.post("/api/v1/auth/refresh", headers=OURS)
        assert response.json()["token_type"] == "cookie"
        assert browser.cookies[REFRESH] != before
        browser.cookies.delete(ACCESS)  # expired meanwhile
        response = await browser.post("/api/v1/auth/logout", headers=OURS)
        assert response.status_code == 204
        assert response.headers["clear-site-data"] == '"cache"'  # storage holds the theme, which is nobody's secret
        assert not browser.cookies
        assert_problem(await browser.get("/api/v1/auth/me"), 401, "authentication_required")

    async def test_a_stale_cookie_does_not_lock_its_owner_out(self, client: httpx.AsyncClient):
        client.cookies.set(ACCESS, "stale")
        await register(client)
        assert (await log_in(client)).status_code == 200
        assert (await client.get("/api/v1/products")).status_code == 200


class TestRefresh:
    async def tokens(self, client: httpx.AsyncClient) -> dict[str, Any]:
        await register(client)
        tokens: dict[str, Any] = (await log_in(client)).json()
        return tokens

    async def refresh(self, client: httpx.AsyncClient, token: str) -> httpx.Response:
        return await client.post("/api/v1/auth/refresh", json={"refresh_token": token})

    async def test_rotates(self, client: httpx.AsyncClient):
        first = await self.tokens(client)
        second = (await self.refresh(client, first["refresh_token"])).json()
        assert second["refresh_token"] != first["refresh_token"]
        assert second["session_expires_at"] == first["session_expires_at"]
        assert (await me(client, second["access_token"])).status_code == 200

    async def test_two_tabs_get_the_same_successor(self, client: httpx.AsyncClient):
        first = await self.tokens(client)
        one = (await self.refresh(client, first["refresh_token"])).json()
        two = (await self.refresh(client, first["refresh_token"])).json()
        assert one["refresh_token"] == two["refresh_token"]

    async def test_a_copied_token_ends_the_family_with_its_newest_descendant(self, api: Api, client: httpx.AsyncClient):
        first = await self.tokens(client)
        second = (await self.refresh(client, first["refresh_token"])).json()
        await expire_grace(api)
        assert_problem(await self.refresh(client, first["refresh_token"]), 401, "refresh_token_reused")
        assert_problem(await self.refresh(client, second["refresh_token"]), 401, "refresh_token_invalid")
        assert_problem(await me(client, second["access_token"]), 401, "credential_invalid")
        user, session = api.sessions.revoked[0]
        assert user == first["user"]["id"]
        assert session

    @pytest.mark.parametrize("token", ["", "mrt_nonsense", "x" * 512])
    async def test_nonsense_is_401(self, client: httpx.AsyncClient, token: str):
        assert_problem(await self.refresh(client, token), 401, "refresh_token_invalid")

    async def test_nothing_at_all_is_401(self, client: httpx.AsyncClient):
        assert_problem(await client.post("/api/v1/auth/refresh"), 401, "authentication_required")


class TestLogout:
    async def test_ends_access_refresh_and_sockets(self, api: Api, client: httpx.AsyncClient):
        await register(client)
        tokens = (await log_in(client)).json()
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await client.post("/api/v1/auth/logout", headers=bearer)).status_code == 204
        assert_problem(await me(client, tokens["access_token"]), 401, "credential_invalid")
        refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert_problem(refreshed, 401, "refresh_token_invalid")
        assert [user for user, _ in api.sessions.revoked] == [tokens["user"]["id"]]

    async def test_everywhere(self, api: Api, client: httpx.AsyncClient):
        await register(client)
        here, there = (await log_in(client)).json(), (await log_in(client)).json()
        bearer = {"Authorization": f"Bearer {here['access_token']}"}
        assert (await me(client, there["access_token"])).status_code == 200
        response = await client.post("/api/v1/auth/logout", headers=bearer, json={"everywhere": True})
        assert response.status_code == 204
        assert_problem(await me(client, there["access_token"]), 401, "credential_invalid")
        assert api.sessions.revoked == [(here["user"]["id"], "")]
        assert (await log_in(client)).status_code == 200

    async def test_without_a_credential_is_401(self, client: httpx.AsyncClient):
        assert_problem(await client.post("/api/v1/auth/logout"), 401, "authentication_required")


async def expire_grace(api: Api) -> None:
    """Let the ten seconds pass in which a used refresh token answers again."""
    from sqlalchemy import text

    async with api.database.transaction() as session:
        await session.execute(text("UPDATE auth.refresh_tokens SET used_at = used_at - interval '1 minute'"))
