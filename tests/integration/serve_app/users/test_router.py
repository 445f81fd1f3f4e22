"""Accounts, for operators and for their owners."""

from typing import Any, ClassVar

import httpx
import pytest

from db.audit.service import list_entries
from tests.factories.auth import make_user
from tests.factories.orders import make_order
from tests.fixtures.client import Api, SignIn, assert_problem


class TestList:
    async def test_searches_and_pages(self, api: Api, admin_client: httpx.AsyncClient):
        async with api.database.transaction() as session:
            for number in range(5):
                await make_user(session, username=f"findme{number}")
        response = await admin_client.get(
            "/api/v1/users", params={"q": "findme", "sort": "username", "limit": 2, "page": 2}
        )
        body = response.json()
        assert [user["username"] for user in body["items"]] == ["findme2", "findme3"]
        assert (body["total"], body["page"], body["pages"]) == (5, 2, 3)
        assert response.headers["x-total-count"] == "5"
        assert 'rel="next"' in response.headers["link"]
        assert set(body["items"][0]["_links"]) == {"self"}
        assert "password" not in response.text

    async def test_pages_by_cursor_without_gaps(self, api: Api, admin_client: httpx.AsyncClient):
        async with api.database.transaction() as session:
            for number in range(5):
                await make_user(session, username=f"findme{number}")
        seen, cursor = [], ""
        while cursor is not None:
            page = (
                await admin_client.get(
                    "/api/v1/users", params={"q": "findme", "sort": "username", "limit": 2, "cursor": cursor}
                )
            ).json()
            seen += [user["username"] for user in page["items"]]
            cursor = page["next"]
        assert seen == [f"findme{number}" for number in range(5)]

    async def test_wildcards_are_letters(self, admin_client: httpx.AsyncClient):
        for query in ("%", "_", "\\", "' OR 1=1 --"):
            body = (await admin_client.get("/api/v1/users", params={"q": query})).json()
            assert body["items"] == [], query

    @pytest.mark.parametrize("params", [{"sort": "password_hash"}, {"limit": 101}, {"page": 0}, {"no_such": 1}])
    async def test_unknown_parameters_are_refused(self, admin_client: httpx.AsyncClient, params: dict[str, str]):
        problem = assert_problem(await admin_client.get("/api/v1/users", params=params), 422, "validation_failed")
        assert problem["errors"][0]["pointer"] == f"#/query/{next(iter(params))}"

    @pytest.mark.parametrize("cursor", ["nonsense", "AAAA", "🐢"])
    async def test_forged_cursors_are_refused(self, admin_client: httpx.AsyncClient, cursor: str):
        assert_problem(await admin_client.get("/api/v1/users", params={"cursor": cursor}), 422, "invalid_cursor")

    async def test_a_cursor_of_another_list_is_refused(self, api: Api, admin_client: httpx.AsyncClient):
        async with api.database.transaction() as session:
            await make_user(session)
        page = (await admin_client.get("/api/v1/users", params={"limit": 1, "cursor": ""})).json()
        response = await admin_client.get("/api/v1/users", params={"cursor": page["next"], "is_active": True})
        assert_problem(response, 422, "invalid_cursor")

    async def test_customers_may_not(self, authenticated_client: httpx.AsyncClient, client: httpx.AsyncClient):
        assert_problem(await authenticated_client.get("/api/v1/users"), 403, "permission_denied")
        assert_problem(await client.get("/api/v1/users"), 401, "authentication_required")


class TestOne:
    async def test_own_and_others(self, sign_in: SignIn):
        mine, theirs = await sign_in(), await sign_in()
        response = await mine.http.get(f"/api/v1/users/{mine.user.id}")
        assert response.json()["_links"]["update"]["method"] == "PATCH"
        assert response.headers["etag"] == f'"{response.json()["version"]}"'
        for method in ("get", "delete"):
            refused = await mine.http.request(method, f"/api/v1/users/{theirs.user.id}")
            assert_problem(refused, 404, "user_not_found")
        assert_problem(await mine.http.patch(f"/api/v1/users/{theirs.user.id}", json={}), 404, "user_not_found")

    async def test_what_is_no_id_is_422(self, authenticated_client: httpx.AsyncClient):
        assert_problem(await authenticated_client.get("/api/v1/users/me"), 422, "validation_failed")

    async def test_people_change_their_own_name_but_not_their_roles(self, sign_in: SignIn):
        person = await sign_in()
        path = f"/api/v1/users/{person.user.id}"
        assert (await person.http.patch(path, json={"full_name": "Me"})).json()["full_name"] == "Me"
        assert_problem(await person.http.patch(path, json={"roles": ["admin"]}), 403, "permission_denied")
        assert_problem(await person.http.patch(path, json={"email": "x@example.com"}), 403, "permission_denied")
        assert_problem(await person.http.patch(path, json={"is_verified": True}), 403, "permission_denied")

    async def test_one_s_own_address_is_not_changed_without_the_password(self, admin_client: httpx.AsyncClient):
        """Nor by those who may change everybody else's."""
        own = (await admin_client.get("/api/v1/auth/me")).json()["id"]
        path = f"/api/v1/users/{own}"
        changed = await admin_client.patch(path, json={"email": "x@example.com"})
        assert_problem(changed, 403, "permission_denied")
        account = (await admin_client.get(path)).json()
        whole = {name: account[name] for name in TestReplacing.WHOLE}
        any_version = {"If-Match": "*"}
        changed = await admin_client.put(path, json=whole | {"email": "x@example.com"}, headers=any_version)
        assert_problem(changed, 403, "permission_denied")
        kept = await admin_client.put(path, json=whole | {"full_name": "Ada"}, headers=any_version)
        assert (kept.status_code, kept.json()["full_name"]) == (200, "Ada"), kept.text

    async def test_a_stale_version_is_412(self, sign_in: SignIn):
        person = await sign_in()
        path = f"/api/v1/users/{person.user.id}"
        etag = (await person.http.get(path)).headers["etag"]
        first = await person.http.patch(path, json={"full_name": "A"}, headers={"If-Match": etag})
        assert first.status_code == 200
        second = await person.http.patch(path, json={"full_name": "B"}, headers={"If-Match": etag})
        assert_problem(second, 412, "version_mismatch")

    async def test_disabling_throws_out(self, api: Api, admin_client: httpx.AsyncClient, sign_in: SignIn):
        person = await sign_in()
        assert (await person.http.get("/api/v1/auth/me")).status_code == 200
        response = await admin_client.patch(f"/api/v1/users/{person.user.id}", json={"is_active": False})
        assert response.json()["is_active"] is False
        assert_problem(await person.http.get("/api/v1/auth/me"), 401, "credential_invalid")
        assert (str(person.user.id), "") in api.sessions.revoked

    async def test_deleting_oneself(self, sign_in: SignIn, admin_client: httpx.AsyncClient):
        person = await sign_in()
        path = f"/api/v1/users/{person.user.id}"
        assert (await person.http.delete(path)).status_code == 204
        assert_problem(await person.http.get(path), 401, "credential_invalid")
        assert_problem(await admin_client.get(path), 404, "user_not_found")

    async def test_an_account_that_changed_meanwhile_is_not_deleted(
        self, sign_in: SignIn, admin_client: httpx.AsyncClient
    ):
        person = await sign_in()
        path = f"/api/v1/users/{person.user.id}"
        etag = (await admin_client.get(path)).headers["etag"]
        assert (await person.http.patch(path, json={"full_name": "Still here"})).status_code == 200
        stale = await admin_client.delete(path, headers={"If-Match": etag})
        assert_problem(stale, 412, "version_mismatch")
        etag = (await admin_client.get(path)).headers["etag"]
        assert (await admin_client.delete(path, headers={"If-Match": etag})).status_code == 204

    async def test_somebody_must_administer(self, sign_in: SignIn):
        admin = await sign_in(roles=("admin",))
        response = await admin.http.patch(f"/api/v1/users/{admin.user.id}", json={"roles": ["customer"]})
        assert_problem(response, 409, "last_admin")


async def test_a_persons_orders(api: Api, sign_in: SignIn, analyst_client: httpx.AsyncClient):
    mine, theirs = await sign_in(), await sign_in()
    async with api.database.transaction() as session:
        order = await make_order(session, mine.user)
    path = f"/api/v1/users/{mine.user.id}/orders"
    for allowed in (mine.http, analyst_client):
        assert [item["id"] for item in (await allowed.get(path)).json()["items"]] == [str(order.id)]
    assert_problem(await theirs.http.get(path), 404, "user_not_found")


class TestMaking:
    BODY: ClassVar[dict[str, Any]] = {
        "email": "grace@example.com",
        "username": "grace",
        "password": "correct horse battery staple",
    }

    async def test_an_administrator_makes_an_account(self, api: Api, sign_in: SignIn, client: httpx.AsyncClient):
        admin = await sign_in(roles=("admin",))
        body = self.BODY | {"roles": ["analyst"], "is_verified": True}
        made = await admin.http.post("/api/v1/users", json=body)
        assert made.status_code == 201, made.text
        account = made.json()
        assert (account["roles"], account["is_verified"]) == (["analyst"], True)
        assert made.headers["location"] == f"/api/v1/users/{account['id']}"
        assert made.headers["etag"] == f'"{account["version"]}"'
        assert account["_links"]["replace"]["method"] == "PUT"
        credentials = {"email": body["email"], "password": body["password"]}
        assert (await client.post("/api/v1/auth/login", json=credentials)).status_code == 200
        async with api.database.transaction(read_only=True) as session:
            found = await list_entries(session, action="user.created", subject_id=account["id"])
        assert [entry.actor_id for entry in found.items] == [admin.user.id]
        assert_problem(await admin.http.post("/api/v1/users", json=body), 409, "email_taken")

    async def test_what_is_wrong_with_it(self, admin_client: httpx.AsyncClient, operator_client: httpx.AsyncClient):
        weak = self.BODY | {"password": "password1234"}
        assert_problem(await admin_client.post("/api/v1/users", json=weak), 422, "password_too_weak")
        unknown = self.BODY | {"roles": ["emperor"]}
        assert (await admin_client.post("/api/v1/users", json=unknown)).status_code == 422
        assert_problem(await operator_client.post("/api/v1/users", json=self.BODY), 403, "permission_denied")


class TestReplacing:
    WHOLE: ClassVar[dict[str, Any]] = {
        "email": "new@example.com",
        "username": "renamed",
        "full_name": "Somebody Else",
        "metadata": {"a": 1},
        "is_active": True,
        "is_verified": True,
        "roles": ["customer", "analyst"],
    }

    async def test_an_account_is_exactly_what_was_sent(self, admin_client: httpx.AsyncClient, sign_in: SignIn):
        person = await sign_in()
        path = f"/api/v1/users/{person.user.id}"
        etag = (await admin_client.get(path)).headers["etag"]
        changed = await admin_client.put(path, json=self.WHOLE, headers={"If-Match": etag})
        assert changed.status_code == 200, changed.text
        assert {name: changed.json()[name] for name in self.WHOLE} == self.WHOLE | {"roles": ["analyst", "customer"]}
        late = await admin_client.put(path, json=self.WHOLE, headers={"If-Match": etag})
        assert_problem(late, 412, "version_mismatch")

    async def test_everything_is_needed_and_only_for_administrators(
        self, admin_client: httpx.AsyncClient, sign_in: SignIn
    ):
        person = await sign_in()
        path = f"/api/v1/users/{person.user.id}"
        assert_problem(await admin_client.put(path, json=self.WHOLE), 428, "precondition_required")
        partial = {name: value for name, value in self.WHOLE.items() if name != "metadata"}
        refused = await admin_client.put(path, json=partial, headers={"If-Match": "*"})
        assert_problem(refused, 422, "validation_failed")
        own = await person.http.put(path, json=self.WHOLE, headers={"If-Match": "*"})
        assert_problem(own, 403, "permission_denied")
