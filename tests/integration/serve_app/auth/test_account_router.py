"""One's own account: profile, sessions, API keys."""

import httpx
import pytest

from tests.fixtures.client import Api, SignIn, assert_problem

SCOPES = ["orders:read"]


class TestMe:
    async def test_shows_roles_permissions_and_links(self, authenticated_client: httpx.AsyncClient):
        body = (await authenticated_client.get("/api/v1/auth/me")).json()
        assert body["roles"] == ["customer"]
        assert "orders:place" in body["permissions"]
        assert body["_links"]["update"] == {"href": "/api/v1/auth/me", "method": "PATCH"}

    async def test_is_not_for_strangers_and_not_kept_by_proxies(self, client: httpx.AsyncClient, sign_in: SignIn):
        response = await client.get("/api/v1/auth/me")
        assert_problem(response, 401, "authentication_required")
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert (await (await sign_in()).http.get("/api/v1/auth/me")).headers["cache-control"] == "no-store"

    async def test_a_withdrawn_role_counts_at_once(self, api: Api, sign_in: SignIn):
        from db.auth import service

        person = await sign_in(roles=("operator",))
        async with api.database.transaction() as session:
            await service.set_roles(session, person.user.id, ["customer"])
        assert_problem(await person.http.get("/api/v1/users"), 403, "permission_denied")


class TestSessions:
    async def test_lists_and_revokes(self, api: Api, sign_in: SignIn):
        here = await sign_in()
        there = await sign_in(user=here.user)
        items = (await here.http.get("/api/v1/auth/sessions")).json()["items"]
        assert {item["id"]: item["current"] for item in items} == {here.session_id: True, there.session_id: False}
        assert (await there.http.get("/api/v1/auth/me")).status_code == 200
        assert (await here.http.delete(f"/api/v1/auth/sessions/{there.session_id}")).status_code == 204
        assert_problem(await there.http.get("/api/v1/auth/me"), 401, "credential_invalid")
        assert (await here.http.get("/api/v1/auth/me")).status_code == 200
        assert api.sessions.revoked == [(str(here.user.id), there.session_id)]

    async def test_another_persons_session_does_not_exist(self, sign_in: SignIn):
        mine, theirs = await sign_in(), await sign_in()
        response = await mine.http.delete(f"/api/v1/auth/sessions/{theirs.session_id}")
        assert_problem(response, 404, "session_not_found")
        assert (await theirs.http.get("/api/v1/auth/me")).status_code == 200


class TestApiKeys:
    async def create(self, client: httpx.AsyncClient, **changes: object) -> httpx.Response:
        return await client.post("/api/v1/auth/api-keys", json={"name": "import", "scopes": SCOPES} | changes)

    async def test_works_within_its_scopes(self, api: Api, authenticated_client: httpx.AsyncClient):
        created = await self.create(authenticated_client)
        assert created.status_code == 201, created.text
        key = created.json()["key"]
        assert key.startswith(created.json()["prefix"])
        async with api.client(headers={"X-API-Key": key}) as machine:
            assert (await machine.get("/api/v1/orders")).status_code == 200
            refused = await machine.post("/api/v1/orders", json={"lines": []})
            assert_problem(refused, 403, "permission_denied")

    async def test_the_secret_is_shown_once(self, authenticated_client: httpx.AsyncClient):
        secret = (await self.create(authenticated_client)).json()["key"]
        listed = await authenticated_client.get("/api/v1/auth/api-keys")
        assert len(listed.json()["items"]) == 1
        assert secret not in listed.text

    async def test_a_key_cannot_make_keys_nor_open_sockets(self, api: Api, authenticated_client: httpx.AsyncClient):
        key = (await self.create(authenticated_client)).json()["key"]
        async with api.client(headers={"X-API-Key": key}) as machine:
            assert_problem(await self.create(machine, scopes=["orders:place"]), 403, "login_required")
            assert_problem(await machine.post("/api/v1/realtime/token"), 403, "login_required")

    async def test_nobody_gives_more_than_they_have(self, authenticated_client: httpx.AsyncClient):
        assert_problem(await self.create(authenticated_client, scopes=["users:write"]), 403, "scope_not_held")
        assert_problem(await self.create(authenticated_client, scopes=["no:such"]), 422, "invalid_input")

    async def test_revoked_it_stops_at_once(self, api: Api, authenticated_client: httpx.AsyncClient):
        made = (await self.create(authenticated_client)).json()
        async with api.client(headers={"X-API-Key": made["key"]}) as machine:
            assert (await machine.get("/api/v1/orders")).status_code == 200
            revoked = await authenticated_client.delete(f"/api/v1/auth/api-keys/{made['id']}")
            assert revoked.status_code == 204
            assert_problem(await machine.get("/api/v1/orders"), 401, "api_key_invalid")

    async def test_is_replaced_without_a_gap(self, api: Api, authenticated_client: httpx.AsyncClient):
        limits = {"methods": ["publish"], "namespaces": ["room"]}
        old = (await self.create(authenticated_client, **limits)).json()
        rotate = old["_links"]["rotate"]
        answer = await authenticated_client.request(rotate["method"], rotate["href"], json={"overlap_hours": 1})
        assert answer.status_code == 201, answer.text
        new = answer.json()
        assert new["replaces"] == old["id"]
        assert {name: new[name] for name in ("name", "scopes", *limits)} == {
            name: old[name] for name in ("name", "scopes", *limits)
        }
        for key in (old["key"], new["key"]):
            async with api.client(headers={"X-API-Key": key}) as machine:
                assert (await machine.get("/api/v1/orders")).status_code == 200
        at_once = await authenticated_client.post(new["_links"]["rotate"]["href"], json={"overlap_hours": 0})
        assert at_once.status_code == 201
        async with api.client(headers={"X-API-Key": new["key"]}) as machine:
            assert_problem(await machine.get("/api/v1/orders"), 401, "api_key_invalid")
        too_long = await authenticated_client.post(rotate["href"], json={"overlap_hours": 721})
        assert_problem(too_long, 422, "validation_failed")

    async def test_another_persons_key_does_not_exist(self, sign_in: SignIn):
        mine, theirs = await sign_in(), await sign_in()
        key_id = (await self.create(theirs.http)).json()["id"]
        assert_problem(await mine.http.delete(f"/api/v1/auth/api-keys/{key_id}"), 404, "api_key_not_found")

    @pytest.mark.parametrize(("address", "status"), [("203.0.113.9", 200), ("198.51.100.1", 401)])
    async def test_is_bound_to_addresses(
        self, api: Api, authenticated_client: httpx.AsyncClient, address: str, status: int
    ):
        key = (await self.create(authenticated_client, allowed_ips=["203.0.113.0/24"])).json()["key"]
        async with api.client(address=address, headers={"X-API-Key": key}) as machine:
            assert (await machine.get("/api/v1/orders")).status_code == status
            # A header that anybody may send changes nothing.
            lied = await machine.get("/api/v1/orders", headers={"X-Forwarded-For": "203.0.113.9"})
            assert lied.status_code == status
