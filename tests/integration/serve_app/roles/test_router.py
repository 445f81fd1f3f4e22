"""Roles over HTTP."""

import httpx
from sqlalchemy import text

from db.auth.permissions import PERMISSIONS, ROLES
from tests.fixtures.client import Api, assert_problem


async def test_every_role_says_what_it_allows(api: Api, analyst_client: httpx.AsyncClient):
    async with api.database.transaction() as session:
        await session.execute(text("INSERT INTO auth.roles (name, description) VALUES ('guest', 'Looks')"))
    response = await analyst_client.get("/api/v1/roles")
    assert response.status_code == 200, response.text
    roles = {role["name"]: role for role in response.json()["items"]}
    assert list(roles) == ["admin", "analyst", "customer", "guest", "operator"]
    assert roles["guest"] == {"name": "guest", "description": "Looks", "permissions": []}
    for name, allowed in ROLES.items():
        assert [(one["name"], one["description"]) for one in roles[name]["permissions"]] == [
            (permission, PERMISSIONS[permission]) for permission in sorted(allowed)
        ]


async def test_customers_are_not_told(authenticated_client: httpx.AsyncClient):
    assert_problem(await authenticated_client.get("/api/v1/roles"), 403, "permission_denied")
