"""The audit trail over HTTP."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from db import audit
from db.audit.callers import CALLER, NOBODY, Caller
from tests.factories.auth import make_user
from tests.factories.conversations import make_conversation, make_message
from tests.fixtures.client import Api, Person, SignIn, assert_problem

ENTRIES = "/api/v1/audit/entries"
KEYS = "/api/v1/auth/api-keys"

HEADERS = {"X-Request-ID": "the-request-itself"}

Act = Callable[[Api, Person, Person], Awaitable[httpx.Response]]
"""Of an administrator, a customer, or somebody unknown."""


async def make_key(_api: Api, _admin: Person, person: Person) -> httpx.Response:
    return await person.http.post(KEYS, json={"name": "import", "scopes": ["orders:read"]}, headers=HEADERS)


async def rotate_key(api: Api, admin: Person, person: Person) -> httpx.Response:
    made = (await make_key(api, admin, person)).json()
    return await person.http.post(f"{KEYS}/{made['id']}/rotate", json={"overlap_hours": 1}, headers=HEADERS)


async def revoke_key(api: Api, admin: Person, person: Person) -> httpx.Response:
    made = (await make_key(api, admin, person)).json()
    return await person.http.delete(f"{KEYS}/{made['id']}", headers=HEADERS)


async def make_account(_api: Api, admin: Person, _person: Person) -> httpx.Response:
    body = {
        "email": "new@example.com",
        "username": "newcomer",
        "password": "blue kettle on the stove",
        "roles": ["customer"],
    }
    return await admin.http.post("/api/v1/users", json=body, headers=HEADERS)


async def change_roles(_api: Api, admin: Person, person: Person) -> httpx.Response:
    return await admin.http.patch(f"/api/v1/users/{person.user.id}", json={"roles": ["analyst"]}, headers=HEADERS)


async def disable(_api: Api, admin: Person, person: Person) -> httpx.Response:
    return await admin.http.patch(f"/api/v1/users/{person.user.id}", json={"is_active": False}, headers=HEADERS)


async def delete(_api: Api, admin: Person, person: Person) -> httpx.Response:
    return await admin.http.delete(f"/api/v1/users/{person.user.id}", headers=HEADERS)


async def sign_out_a_device(_api: Api, _admin: Person, person: Person) -> httpx.Response:
    return await person.http.delete(f"/api/v1/auth/sessions/{person.session_id}", headers=HEADERS)


async def sign_out_of_realtime(_api: Api, admin: Person, _person: Person) -> httpx.Response:
    return await admin.http.delete("/api/v1/realtime/users/of-another-issuer/sessions", headers=HEADERS)


async def remove_somebody_s_message(api: Api, admin: Person, person: Person) -> httpx.Response:
    async with api.database.transaction() as session:
        talk = await make_conversation(session, [person.user, await make_user(session)])
        message = await make_message(session, talk, person.user)
    return await admin.http.delete(f"/api/v1/conversations/{talk.id}/messages/{message.id}", headers=HEADERS)


async def guess(api: Api, _admin: Person, person: Person) -> httpx.Response:
    async with api.client() as stranger:
        body = {"email": person.user.email, "password": "not this one at all"}
        return await stranger.post("/api/v1/auth/login", json=body, headers=HEADERS)


async def test_entries_are_filtered_and_paged(api: Api, sign_in: SignIn) -> None:
    admin, person = await sign_in(roles=("admin",)), await sign_in()
    async with api.database.transaction() as session:
        for number in range(3):
            await audit.record(session, "test.done", subject_type="thing", subject_id=number, actor_id=person.user.id)
        asked = CALLER.set(Caller(ip="192.0.2.1"))
        await audit.record(session, "test.other", subject_type="thing", subject_id="1")
        CALLER.reset(asked)
    first = await admin.http.get(ENTRIES, params={"action": "test.done", "limit": 2})
    assert first.status_code == 200, first.text
    assert [item["subject_id"] for item in first.json()["items"]] == ["2", "1"]
    second = await admin.http.get(ENTRIES, params={"action": "test.done", "limit": 2, "cursor": first.json()["next"]})
    assert [item["subject_id"] for item in second.json()["items"]] == ["0"]
    assert second.json()["next"] is None
    of_one = await admin.http.get(ENTRIES, params={"subject_type": "thing", "subject_id": "1"})
    assert [(item["action"], item["ip"]) for item in of_one.json()["items"]] == [
        ("test.other", "192.0.2.1"),
        ("test.done", None),
    ]
    by_person = await admin.http.get(ENTRIES, params={"actor_id": str(person.user.id), "action": "test.done"})
    assert len(by_person.json()["items"]) == 3
    # A cursor belongs to its filters.
    other = {"action": "test.other", "cursor": first.json()["next"]}
    assert_problem(await admin.http.get(ENTRIES, params=other), 422, "invalid_cursor")


async def test_what_happened_to_an_account(api: Api, sign_in: SignIn) -> None:
    admin, person = await sign_in(roles=("admin",)), await sign_in()
    assert (await admin.http.delete(f"/api/v1/users/{person.user.id}")).status_code == 204
    path = f"/api/v1/audit/users/{person.user.id}/changes"
    changes = (await admin.http.get(path)).json()["items"]
    assert changes[0]["changed_by"] == str(admin.user.id)
    assert "deleted_at" in {field for change in changes for field in change["changed_fields"]}
    assert changes[-1]["operation"] == "INSERT"
    values = [change[which] or {} for change in changes for which in ("old_values", "new_values")]
    assert not [row for row in values if "password_hash" in row], "that it changed, not what it is"


@pytest.mark.parametrize(
    ("act", "action"),
    [
        (make_key, "api_key.created"),
        (rotate_key, "api_key.rotated"),
        (revoke_key, "api_key.revoked"),
        (make_account, "user.created"),
        (change_roles, "roles.changed"),
        (disable, "session.revoked_all"),
        (delete, "user.deleted"),
        (sign_out_a_device, "session.revoked"),
        (sign_out_of_realtime, "realtime.user_revoked"),
        (remove_somebody_s_message, "message.removed"),
        (guess, "login.failed"),
    ],
)
async def test_entries_say_from_where_and_in_which_request(api: Api, sign_in: SignIn, act: Act, action: str) -> None:
    admin, person = await sign_in(roles=("admin",)), await sign_in()
    answer = await act(api, admin, person)
    assert answer.status_code in {200, 201, 204, 401}, answer.text
    entry, *_ = (await admin.http.get(ENTRIES, params={"action": action})).json()["items"]
    assert (entry["ip"], entry["request_id"]) == ("192.0.2.1", "the-request-itself")
    assert CALLER.get() is NOBODY, "what a job does next is nobody's request"


@pytest.mark.parametrize("path", [ENTRIES, "/api/v1/audit/users/00000000-0000-7000-8000-000000000000/changes"])
async def test_only_who_may_read_it(
    client: httpx.AsyncClient, authenticated_client: httpx.AsyncClient, analyst_client: httpx.AsyncClient, path: str
) -> None:
    assert_problem(await client.get(path), 401, "authentication_required")
    for refused in (authenticated_client, analyst_client):
        assert_problem(await refused.get(path), 403, "permission_denied")
