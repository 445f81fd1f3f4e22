"""Two-step sign-in over HTTP: set up, sign in with either kind of code, renew, switch off."""

from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest

from db.auth import password_reset
from tests.fixtures.client import Api, SignIn, StartApi, assert_problem
from tests.fixtures.second_factor import code_of, forget_used_steps
from tests.fixtures.transactions import rows

EMAIL, PASSWORD = "ada@example.com", "blue kettle on fire"
ACCOUNT = {"email": EMAIL, "username": "ada", "password": PASSWORD}
PATH = "/api/v1/auth/second-factor"
OURS = {"Origin": "http://shop.test", "X-Mobula-CSRF": "1"}


async def log_in(client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    body = {"email": EMAIL, "password": PASSWORD} | changes
    return await client.post("/api/v1/auth/login", json=body, headers=OURS)


async def answer(client: httpx.AsyncClient, challenge: str, code: str, **changes: Any) -> httpx.Response:
    body = {"challenge": challenge, "code": code} | changes
    return await client.post("/api/v1/auth/login/second-factor", json=body, headers=OURS)


@dataclass
class Enrolled:
    """Ada, signed in, with an app. `secret` and `codes` are what she was shown."""

    api: Api
    http: httpx.AsyncClient
    secret: str
    codes: list[str]

    @property
    def code(self) -> str:
        return code_of(self.secret)


@pytest.fixture
async def ada(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Registered and signed in."""
    assert (await client.post("/api/v1/auth/register", json=ACCOUNT)).status_code == 201
    client.headers["Authorization"] = f"Bearer {(await log_in(client)).json()['access_token']}"
    return client


@pytest.fixture
async def enrolled(api: Api, ada: httpx.AsyncClient) -> Enrolled:
    begun = await ada.post(f"{PATH}/totp", json={"current_password": PASSWORD})
    assert begun.status_code == 200, begun.text
    secret = begun.json()["secret"]
    confirmed = await ada.post(f"{PATH}/totp/confirm", json={"code": code_of(secret)})
    assert confirmed.status_code == 200, confirmed.text
    await forget_used_steps(api.database)
    return Enrolled(api, ada, secret, confirmed.json()["recovery_codes"])


async def challenged(client: httpx.AsyncClient, **changes: Any) -> str:
    asked = await log_in(client, **changes)
    assert asked.status_code == 202, asked.text
    assert set(asked.json()) == {"challenge", "expires_in"}
    assert "set-cookie" not in asked.headers
    assert asked.headers["cache-control"] == "no-store"
    return str(asked.json()["challenge"])


class TestEnrolment:
    async def test_shows_what_an_app_must_know(self, ada: httpx.AsyncClient):
        before = (await ada.get(PATH)).json()
        assert (before["enabled"], before["recovery_codes_left"]) == (False, 0)
        assert before["_links"]["enrol"] == {"href": f"{PATH}/totp", "method": "POST"}
        shown = await ada.post(f"{PATH}/totp", json={"current_password": PASSWORD})
        assert shown.headers["cache-control"] == "no-store"
        assert shown.json()["secret"] in shown.json()["otpauth_uri"]
        assert shown.json()["qr_svg"].startswith("<svg")
        assert (await ada.get(PATH)).json()["enabled"] is False

    async def test_needs_the_password(self, ada: httpx.AsyncClient):
        refused = await ada.post(f"{PATH}/totp", json={"current_password": "not this one"})
        assert_problem(refused, 403, "wrong_password")

    async def test_ends_other_sessions_and_counts_from_the_first_code_on(self, api: Api, ada: httpx.AsyncClient):
        other = (await log_in(ada)).json()["access_token"]
        secret = (await ada.post(f"{PATH}/totp", json={"current_password": PASSWORD})).json()["secret"]
        assert_problem(await ada.post(f"{PATH}/totp/confirm", json={"code": "not-a-code"}), 403, "wrong_code")
        assert (await log_in(ada)).status_code == 200
        assert (await ada.post(f"{PATH}/totp/confirm", json={"code": code_of(secret)})).status_code == 200
        after = (await ada.get(PATH)).json()
        assert (after["enabled"], after["recovery_codes_left"]) == (True, 10)
        thrown_out = await ada.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {other}"})
        assert_problem(thrown_out, 401, "credential_invalid")
        current = [item for item in (await ada.get("/api/v1/auth/sessions")).json()["items"] if item["current"]]
        assert current[0]["methods"] == ["pwd", "otp"]

    async def test_twice_is_a_conflict_and_nothing_begun_neither(self, enrolled: Enrolled, sign_in: SignIn):
        again = await enrolled.http.post(f"{PATH}/totp", json={"current_password": PASSWORD})
        assert_problem(again, 409, "second_factor_enabled")
        stranger = (await sign_in()).http
        assert_problem(
            await stranger.post(f"{PATH}/totp/confirm", json={"code": "123456"}), 409, "second_factor_disabled"
        )

    async def test_without_a_key_it_says_so(self, start_api: StartApi):
        api = await start_api(encryption_key="")
        async with api.client() as client:
            await client.post("/api/v1/auth/register", json=ACCOUNT)
            client.headers["Authorization"] = f"Bearer {(await log_in(client)).json()['access_token']}"
            refused = await client.post(f"{PATH}/totp", json={"current_password": PASSWORD})
            assert_problem(refused, 503, "sealing_unavailable")


class TestSigningIn:
    async def test_with_a_code(self, enrolled: Enrolled):
        asked = await challenged(enrolled.http)
        tokens = await answer(enrolled.http, asked, enrolled.code)
        assert tokens.status_code == 200, tokens.text
        claims = jwt.decode(tokens.json()["access_token"], options={"verify_signature": False})
        assert claims["amr"] == ["pwd", "otp", "mfa"]
        renewed = await enrolled.http.post(
            "/api/v1/auth/refresh", json={"refresh_token": tokens.json()["refresh_token"]}
        )
        claims = jwt.decode(renewed.json()["access_token"], options={"verify_signature": False})
        assert claims["amr"] == ["pwd", "otp", "mfa"]
        assert_problem(await answer(enrolled.http, asked, enrolled.codes[0]), 401, "login_challenge_invalid")

    async def test_with_a_recovery_code_in_cookies(self, enrolled: Enrolled):
        async with enrolled.api.client() as browser:
            asked = await challenged(browser, mode="cookie")
            signed_in = await answer(browser, asked, enrolled.codes[0], mode="cookie")
            assert signed_in.status_code == 200, signed_in.text
            assert signed_in.json()["access_token"] is None
            assert (await browser.get("/api/v1/auth/me")).json()["username"] == "ada"
            asked = await challenged(browser)
            assert_problem(await answer(browser, asked, enrolled.codes[0]), 401, "login_code_invalid")

    async def test_a_foreign_page_cannot(self, enrolled: Enrolled):
        asked = await challenged(enrolled.http)
        body = {"challenge": asked, "code": enrolled.codes[0], "mode": "cookie"}
        foreign = {"Origin": "https://evil.example"}
        forged = await enrolled.http.post("/api/v1/auth/login/second-factor", json=body, headers=foreign)
        assert_problem(forged, 403, "csrf_failed")

    async def test_a_code_works_once(self, enrolled: Enrolled):
        code = enrolled.code
        assert (await answer(enrolled.http, await challenged(enrolled.http), code)).status_code == 200
        again = await answer(enrolled.http, await challenged(enrolled.http), code)
        assert_problem(again, 401, "login_code_invalid")

    async def test_guessing_is_slowed_down_across_challenges(self, enrolled: Enrolled):
        for _ in range(5):
            wrong = await answer(enrolled.http, await challenged(enrolled.http), "0000-0000-0000")
            assert_problem(wrong, 401, "login_code_invalid")
        refused = await answer(enrolled.http, await challenged(enrolled.http), enrolled.code)
        assert_problem(refused, 429, "too_many_login_attempts")
        assert 800 < int(refused.headers["retry-after"]) <= 900

    async def test_half_a_sign_in_is_no_sign_in(self, enrolled: Enrolled):
        await challenged(enrolled.http)
        actions = [row[0] for row in await rows(enrolled.api.database, "SELECT action FROM audit.entries ORDER BY id")]
        assert actions[-1] == "login.password_accepted"

    async def test_a_reset_password_still_asks_for_the_code(self, enrolled: Enrolled):
        async with enrolled.api.database.transaction() as session:
            link = await password_reset.begin(session, EMAIL)
        assert link is not None
        new = "green teapot in the rain"
        body = {"token": link.text, "new_password": new}
        assert (await enrolled.http.post("/api/v1/auth/password/reset", json=body)).status_code == 204
        await challenged(enrolled.http, password=new)


class TestChanging:
    async def test_renewed_codes_replace_the_old_ones(self, enrolled: Enrolled):
        proof = {"current_password": PASSWORD, "code": enrolled.code}
        renewed = await enrolled.http.post(f"{PATH}/recovery-codes", json=proof)
        assert renewed.status_code == 200, renewed.text
        new = renewed.json()["recovery_codes"]
        old = await answer(enrolled.http, await challenged(enrolled.http), enrolled.codes[0])
        assert_problem(old, 401, "login_code_invalid")
        assert (await answer(enrolled.http, await challenged(enrolled.http), new[0])).status_code == 200

    @pytest.mark.parametrize("what", ["recovery-codes", "disable"])
    async def test_both_factors_are_needed(self, enrolled: Enrolled, what: str):
        good = {"current_password": PASSWORD, "code": enrolled.codes[0]}
        no_password = await enrolled.http.post(f"{PATH}/{what}", json=good | {"current_password": "not this one"})
        no_password_problem = assert_problem(no_password, 403, "wrong_password")
        no_code = await enrolled.http.post(f"{PATH}/{what}", json=good | {"code": "0000-0000-0000"})
        no_code_problem = assert_problem(no_code, 403, "wrong_code")
        pointed_at = [item["pointer"] for item in no_password_problem["errors"] + no_code_problem["errors"]]
        assert pointed_at == ["#/current_password", "#/code"]
        assert (await enrolled.http.get(PATH)).json()["enabled"] is True

    async def test_switched_off_the_password_is_enough(self, enrolled: Enrolled):
        proof = {"current_password": PASSWORD, "code": enrolled.codes[0]}
        assert (await enrolled.http.post(f"{PATH}/disable", json=proof)).status_code == 204
        assert (await log_in(enrolled.http)).status_code == 200
        assert_problem(await enrolled.http.post(f"{PATH}/disable", json=proof), 409, "second_factor_disabled")
        for path in ("recovery-codes", "disable"):
            assert_problem(await enrolled.http.post(f"{PATH}/{path}", json=proof), 409, "second_factor_disabled")

    async def test_address_and_password_need_a_code_too(self, enrolled: Enrolled):
        async def change(**body: str) -> httpx.Response:
            return await enrolled.http.patch("/api/v1/auth/me", json={"current_password": PASSWORD} | body)

        for body in ({"email": "new@example.com"}, {"new_password": "green teapot in the rain"}):
            assert_problem(await change(**body), 403, "code_required")
            assert_problem(await change(**body, code="0000-0000-0000"), 403, "wrong_code")
        assert (await change(username="ada-two")).status_code == 200
        changed = await change(email="new@example.com", code=enrolled.code)
        assert changed.status_code == 200, changed.text


class TestAdministrators:
    async def test_help_those_who_lost_everything(self, enrolled: Enrolled, sign_in: SignIn):
        admin = await sign_in(roles=("admin",))
        user_id = (await enrolled.http.get("/api/v1/auth/me")).json()["id"]
        path = f"/api/v1/users/{user_id}/second-factor"
        assert_problem(await (await sign_in()).http.delete(path), 403, "permission_denied")
        assert_problem(await (await sign_in(roles=("operator",))).http.delete(path), 403, "permission_denied")
        assert (await admin.http.delete(path)).status_code == 204
        assert (await log_in(enrolled.http)).status_code == 200
        assert_problem(await admin.http.delete(path), 409, "second_factor_disabled")
        trail = await rows(
            enrolled.api.database, "SELECT actor_id FROM audit.entries WHERE action = 'second_factor.removed'"
        )
        assert trail == [(admin.user.id,)]

    async def test_but_not_themselves_nor_nobody(self, sign_in: SignIn):
        admin = await sign_in(roles=("admin",))
        own = await admin.http.delete(f"/api/v1/users/{admin.user.id}/second-factor")
        assert_problem(own, 403, "permission_denied")
        nobody = await admin.http.delete("/api/v1/users/00000000-0000-7000-8000-000000000000/second-factor")
        assert_problem(nobody, 404, "user_not_found")
