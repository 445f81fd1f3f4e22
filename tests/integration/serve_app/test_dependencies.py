"""Route × role, generated from the document: nothing is open that is not declared open (ASVS 8.2.1)."""

import re
from typing import Any

import httpx
import pytest

from db.audit.service import list_user_changes
from db.auth.permissions import PERMISSIONS, ROLES
from serve_app.app import build_app
from serve_app.openapi import METHODS
from tests.fixtures.client import Api, SignIn, assert_problem, build_settings

DOCUMENT: dict[str, Any] = build_app(build_settings()).openapi()
GUARDED = [
    pytest.param(method, path, operation, id=operation["operationId"])
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS and operation.get("security") != []
]
OPEN = {
    operation["operationId"]
    for item in DOCUMENT["paths"].values()
    for operation in item.values()
    if operation.get("security") == []
}


def address(path: str) -> str:
    return re.sub(r"{\w+}", "00000000-0000-7000-8000-000000000000", path)


def test_what_is_open_is_known():
    under_api = {name for name in OPEN if not name.startswith(("health-", "operations-", "server-"))}
    assert under_api == {
        "auth-register",
        "auth-login",
        "auth-refresh",
        "auth-logout",
        "products-list_products",
        "products-get_product",
        "products-list_categories",
        "exports-download_export_file",
    }


@pytest.mark.parametrize(("method", "path", "operation"), GUARDED)
async def test_strangers_are_401_before_anything_else(
    client: httpx.AsyncClient, method: str, path: str, operation: dict[str, Any]
):
    response = await client.request(method, address(path), json={} if "requestBody" in operation else None)
    assert response.status_code == 401, (path, response.text)


async def test_every_declared_permission_is_enforced(sign_in: SignIn):
    """A role without the permission gets 403, whatever else is wrong with the request."""
    people = {role: await sign_in(roles=(role,)) for role in ROLES}
    nobody = await sign_in(roles=())
    for parameters in GUARDED:
        method, path, operation = parameters.values
        needed = operation.get("x-permission")
        if needed is None:
            continue
        assert needed in PERMISSIONS, path
        without = [people[role] for role, held in ROLES.items() if needed not in held] + [nobody]
        for person in without:
            response = await person.http.request(method, address(path))
            assert response.status_code in (403, 422), (method, path, response.text)
            if response.status_code == 403:
                assert_problem(response, 403, "permission_denied")
            assert response.status_code == 403 or "requestBody" in operation or "cursor" in response.text, path


async def test_a_key_cannot_do_what_needs_a_person(api: Api, sign_in: SignIn):
    person = await sign_in(roles=("admin",))
    made = await person.http.post("/api/v1/auth/api-keys", json={"name": "k", "scopes": ["users:read"]})
    async with api.client(headers={"X-API-Key": made.json()["key"]}) as machine:
        assert (await machine.get("/api/v1/users")).status_code == 200
        assert_problem(await machine.get("/api/v1/auth/sessions"), 403, "login_required")
        assert_problem(await machine.delete(f"/api/v1/users/{person.user.id}"), 403, "login_required")


async def test_audit_rows_name_who_acted(api: Api, sign_in: SignIn):
    admin, person = await sign_in(roles=("admin",)), await sign_in()
    changed = await admin.http.patch(f"/api/v1/users/{person.user.id}", json={"full_name": "Renamed"})
    assert changed.status_code == 200
    async with api.database.transaction(read_only=True) as session:
        page = await list_user_changes(session, person.user.id, limit=1)
    assert page.items[0].changed_by == admin.user.id
