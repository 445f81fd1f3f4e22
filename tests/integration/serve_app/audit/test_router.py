"""The audit trail over HTTP."""

import httpx
import pytest

from db import audit
from tests.fixtures.client import Api, SignIn, assert_problem

ENTRIES = "/api/v1/audit/entries"


async def test_entries_are_filtered_and_paged(api: Api, sign_in: SignIn) -> None:
    admin, person = await sign_in(roles=("admin",)), await sign_in()
    async with api.database.transaction() as session:
        for number in range(3):
            await audit.record(session, "test.done", subject_type="thing", subject_id=number, actor_id=person.user.id)
        await audit.record(session, "test.other", subject_type="thing", subject_id="1", ip="192.0.2.1")
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


@pytest.mark.parametrize("path", [ENTRIES, "/api/v1/audit/users/00000000-0000-7000-8000-000000000000/changes"])
async def test_only_who_may_read_it(
    client: httpx.AsyncClient, authenticated_client: httpx.AsyncClient, analyst_client: httpx.AsyncClient, path: str
) -> None:
    assert_problem(await client.get(path), 401, "authentication_required")
    for refused in (authenticated_client, analyst_client):
        assert_problem(await refused.get(path), 403, "permission_denied")
