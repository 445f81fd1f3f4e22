"""One's own passkeys over HTTP: with proof of who one is, and nobody else's."""

from typing import Any

import httpx
import pytest

from db.passkeys import service
from tests.fixtures.authenticator import Authenticator, Lie
from tests.fixtures.client import Api, SignIn, assert_problem
from tests.fixtures.second_factor import code_of, forget_used_steps
from tests.fixtures.transactions import rows

PASSWORD = "blue kettle on fire"
ACCOUNT = {"email": "ada@example.com", "username": "ada", "password": PASSWORD}
PROOF = {"current_password": PASSWORD}
PATH = "/api/v1/auth/passkeys"


@pytest.fixture
async def ada(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Registered and signed in."""
    assert (await client.post("/api/v1/auth/register", json=ACCOUNT)).status_code == 201
    tokens = await client.post("/api/v1/auth/login", json={"email": ACCOUNT["email"], "password": PASSWORD})
    client.headers["Authorization"] = f"Bearer {tokens.json()['access_token']}"
    return client


async def begin(http: httpx.AsyncClient, **proof: str) -> dict[str, Any]:
    begun = await http.post(f"{PATH}/options", json=PROOF | proof)
    assert begun.status_code == 200, begun.text
    assert begun.headers["cache-control"] == "no-store"
    assert begun.json()["expires_in"] == 300
    options: dict[str, Any] = begun.json()["options"]
    return options


async def finish(http: httpx.AsyncClient, credential: dict[str, Any], name: str = "telephone") -> httpx.Response:
    return await http.post(PATH, json={"name": name, "credential": credential})


async def add(http: httpx.AsyncClient, name: str = "telephone", **proof: str) -> dict[str, Any]:
    added = await finish(http, Authenticator().create(await begin(http, **proof)), name)
    assert added.status_code == 201, added.text
    passkey: dict[str, Any] = added.json()
    return passkey


async def test_added_renamed_and_removed(ada: httpx.AsyncClient):
    assert (await ada.get(PATH)).json() == {"items": [], "limit": 10, "rp_id": "shop.test"}
    added = await add(ada, "  my telephone ")
    assert (added["name"], added["synced"], added["last_used_at"]) == ("my telephone", False, None)
    assert added["_links"] == {
        "self": {"href": f"{PATH}/{added['id']}"},
        "rename": {"href": f"{PATH}/{added['id']}", "method": "PATCH"},
        "remove": {"href": f"{PATH}/{added['id']}/remove", "method": "POST"},
    }
    assert (await ada.get(PATH)).json()["items"] == [added]
    renamed = await ada.patch(f"{PATH}/{added['id']}", json={"name": "old telephone"})
    assert renamed.json() == added | {"name": "old telephone"}
    assert (await ada.post(f"{PATH}/{added['id']}/remove", json=PROOF)).status_code == 204
    assert (await ada.get(PATH)).json()["items"] == []
    assert_problem(await ada.post(f"{PATH}/{added['id']}/remove", json=PROOF), 404, "passkey_not_found")


async def test_adding_and_removing_need_the_password(ada: httpx.AsyncClient):
    added = await add(ada)
    for path in ("options", f"{added['id']}/remove"):
        wrong = await ada.post(f"{PATH}/{path}", json={"current_password": "not this one"})
        problem = assert_problem(wrong, 403, "wrong_password")
        [item] = problem["errors"]
        assert item["pointer"] == "#/current_password"
        assert item["message"] == problem["detail"] == "This is not your current password.", "whatever it was given for"
        assert_problem(await ada.post(f"{PATH}/{path}", json={}), 422, "validation_failed")
    assert len((await ada.get(PATH)).json()["items"]) == 1


async def test_and_the_second_factor_where_there_is_one(api: Api, ada: httpx.AsyncClient):
    app = "/api/v1/auth/second-factor/totp"
    secret = (await ada.post(app, json=PROOF)).json()["secret"]
    codes = (await ada.post(f"{app}/confirm", json={"code": code_of(secret)})).json()["recovery_codes"]
    await forget_used_steps(api.database)
    added = await add(ada, code=code_of(secret))
    for path in ("options", f"{added['id']}/remove"):
        assert_problem(await ada.post(f"{PATH}/{path}", json=PROOF), 403, "code_required")
        wrong = await ada.post(f"{PATH}/{path}", json=PROOF | {"code": "0000-0000-0000"})
        assert_problem(wrong, 403, "wrong_code")
    removed = await ada.post(f"{PATH}/{added['id']}/remove", json=PROOF | {"code": codes[0]})
    assert removed.status_code == 204, removed.text


async def test_they_are_nobody_elses(ada: httpx.AsyncClient, sign_in: SignIn):
    added = await add(ada)
    bob = (await sign_in(roles=("admin",))).http
    assert (await bob.get(PATH)).json()["items"] == []
    assert_problem(await bob.patch(f"{PATH}/{added['id']}", json={"name": "mine"}), 404, "passkey_not_found")
    stolen = await finish(bob, Authenticator().create(await begin(ada)))
    assert_problem(stolen, 409, "passkey_setup_over")


async def test_what_does_not_answer_the_challenge_is_refused(ada: httpx.AsyncClient):
    refused = await finish(ada, Authenticator().create(await begin(ada), Lie(origin="https://evil.example")))
    problem = assert_problem(refused, 422, "passkey_refused")
    assert problem["errors"][0]["pointer"] == "#/credential"
    again = Authenticator().create(await begin(ada))
    assert (await finish(ada, again)).status_code == 201
    assert_problem(await finish(ada, again), 409, "passkey_setup_over")


async def test_names_are_short_and_say_something(ada: httpx.AsyncClient):
    credential = Authenticator().create(await begin(ada))
    for name in ("", "   ", "x" * 65):
        assert_problem(await finish(ada, credential, name), 422, "validation_failed")
    assert (await finish(ada, credential, "x" * 64)).status_code == 201


async def test_there_is_a_limit(ada: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service, "MAX_PASSKEYS", 1)
    await add(ada)
    full = await ada.post(f"{PATH}/options", json=PROOF)
    assert assert_problem(full, 409, "too_many_passkeys")["limit"] == 1


async def test_api_keys_and_strangers_have_none(api: Api, ada: httpx.AsyncClient):
    key = {"name": "key", "scopes": ["orders:read"]}
    text = (await ada.post("/api/v1/auth/api-keys", json=key)).json()["key"]
    async with api.client() as program:
        assert_problem(await program.get(PATH), 401, "authentication_required")
        assert_problem(await program.get(PATH, headers={"X-API-Key": text}), 403, "login_required")


async def test_who_did_it_and_from_where_is_in_the_trail(api: Api, ada: httpx.AsyncClient):
    added = await add(ada)
    await ada.post(f"{PATH}/{added['id']}/remove", json=PROOF)
    trail = (
        "SELECT action, actor_id = subject_id::uuid, ip FROM audit.entries WHERE action LIKE 'passkey.%' ORDER BY id"
    )
    assert await rows(api.database, trail) == [
        ("passkey.added", True, "192.0.2.1"),
        ("passkey.removed", True, "192.0.2.1"),
    ]
