"""Finding people."""

import httpx

from tests.factories.auth import make_user
from tests.fixtures.client import Api, assert_problem


async def test_shows_id_and_username_only(api: Api, authenticated_client: httpx.AsyncClient):
    async with api.database.transaction() as session:
        for name in ("marie", "pierre", "marianne"):
            await make_user(session, username=name)
    body = (await authenticated_client.get("/api/v1/directory", params={"q": "MAR"})).json()
    assert [person["username"] for person in body["items"]] == ["marianne", "marie"]
    assert all(set(person) == {"id", "username"} for person in body["items"])
    assert (await authenticated_client.get("/api/v1/directory", params={"q": "%"})).json()["items"] == []


async def test_needs_a_credential(client: httpx.AsyncClient):
    assert_problem(await client.get("/api/v1/directory"), 401, "authentication_required")
