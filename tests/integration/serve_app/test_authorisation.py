"""Route × role, generated from the document: nothing is open that is not declared open (ASVS 8.2.1)."""

import re
from typing import Any

import httpx
import pytest

from db.auth.permissions import PERMISSIONS, ROLES
from serve_app.app import build_app
from serve_app.openapi import METHODS
from tests.fixtures.client import SignIn, assert_problem, build_settings

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
