"""Signing users out, over HTTP."""

import httpx
from sqlalchemy import text

from tests.fixtures.client import Api, SignIn, assert_problem

USERS = "/api/v1/realtime/users"


async def audited(api: Api, action: str) -> list[str]:
    async with api.database.transaction(read_only=True) as session:
        found = await session.execute(
            text("SELECT subject_id FROM audit.entries WHERE action = :action"), {"action": action}
        )
        return list(found.scalars())


async def test_an_account_is_signed_out_everywhere(
    api: Api, sign_in: SignIn, operator_client: httpx.AsyncClient
) -> None:
    ada = await sign_in()
    user = str(ada.user.id)
    assert (await ada.http.get("/api/v1/auth/me")).status_code == 200
    assert (await operator_client.delete(f"{USERS}/{user}/sessions")).status_code == 204
    assert_problem(await ada.http.get("/api/v1/auth/me"), 401, "credential_invalid")
    assert api.sessions.revoked == [(user, "")], "its sockets close"
    assert await audited(api, "session.revoked_all") == [user]


async def test_tokens_of_another_issuer_s_user_are_void(api: Api, operator_client: httpx.AsyncClient) -> None:
    assert (await operator_client.delete(f"{USERS}/someone@elsewhere/sessions")).status_code == 204
    ((user, token, floor, _),) = api.sessions.revoked_tokens
    assert (user, token) == ("someone@elsewhere", "")
    assert floor > 0
    assert await audited(api, "realtime.user_revoked") == ["someone@elsewhere"]


async def test_the_id_of_another_issuer_s_user_may_be_long(api: Api, operator_client: httpx.AsyncClient) -> None:
    user = "auth0|" + "x" * 249
    assert (await operator_client.delete(f"{USERS}/{user}/sessions")).status_code == 204
    assert [user for user, *_ in api.sessions.revoked_tokens] == [user]
    assert await audited(api, "realtime.user_revoked") == [user]


async def test_only_who_may_administer_realtime_may_do_it(
    api: Api, sign_in: SignIn, client: httpx.AsyncClient, operator_client: httpx.AsyncClient
) -> None:
    ada, bob = await sign_in(), await sign_in()
    path = f"{USERS}/{bob.user.id}/sessions"
    assert_problem(await client.delete(path), 401, "authentication_required")
    assert_problem(await ada.http.delete(path), 403, "permission_denied")
    assert api.sessions.revoked == []
    assert_problem(await operator_client.delete(f"{USERS}/{'x' * 256}/sessions"), 422, "validation_failed")
