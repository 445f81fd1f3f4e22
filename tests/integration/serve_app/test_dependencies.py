"""Route × role, generated from the document: nothing is open that is not declared open (ASVS 8.2.1)."""

import re
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from db.audit.service import list_user_changes
from db.auth import verification
from db.auth.permissions import PERMISSIONS, ROLES
from db.auth.repository import user_by_email
from serve_app.app import build_app
from serve_app.openapi import METHODS
from serve_app.openapi_parts import LOGIN
from tests.factories.auth import make_user
from tests.fixtures.client import Api, SignIn, StartApi, assert_problem, build_settings

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
        "auth-login_with_code",
        "auth-verify_email",
        "auth-forgot_password",
        "auth-reset_password",
        "auth-refresh",
        "auth-logout",
        "passkeys-begin_passkey_login",
        "passkeys-login_with_passkey",
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


def demand(operation: dict[str, Any]) -> tuple[str, str]:
    """(kind, permission): what the document says that an API key needs here. Exactly one kind."""
    found = []
    if operation.get("security") == LOGIN["security"]:
        found.append(("login", operation.get("x-permission", "")))
    elif "x-permission" in operation:
        found.append(("scope", operation["x-permission"]))
    if "x-key-permission" in operation:
        found.append(("scope", operation["x-key-permission"]))
    (only,) = found
    return only


@pytest.mark.parametrize(("method", "path", "operation"), GUARDED)
def test_every_operation_says_what_a_key_needs(method: str, path: str, operation: dict[str, Any]):
    """No route can be added without a decision: `require`, `require_of_keys` or `LoginPrincipal`."""
    kind, permission = demand(operation)
    assert permission in PERMISSIONS or (kind, permission) == ("login", "")


async def test_route_by_key_scope(api: Api, sign_in: SignIn):
    """A key does what its scopes say, and nothing else of what its owner may."""
    admin = await sign_in(roles=("admin",))
    keys: dict[frozenset[str], httpx.AsyncClient] = {}
    async with AsyncExitStack() as stack:

        async def machine(scopes: Iterable[str]) -> httpx.AsyncClient:
            wanted = frozenset(scopes)
            if wanted not in keys:
                body = {"name": "k", "scopes": sorted(wanted)}
                made = await admin.http.post("/api/v1/auth/api-keys", json=body)
                assert made.status_code == 201, made.text
                keys[wanted] = await stack.enter_async_context(api.client(headers={"X-API-Key": made.json()["key"]}))
            return keys[wanted]

        for parameters in GUARDED:
            method, path, operation = parameters.values
            kind, permission = demand(operation)
            body = {} if "requestBody" in operation else None
            if kind == "login":
                every = await machine(PERMISSIONS)
                assert_problem(await every.request(method, address(path), json=body), 403, "login_required")
                continue
            others = await machine(PERMISSIONS.keys() - {permission})
            assert_problem(await others.request(method, address(path), json=body), 403, "permission_denied")
            with_it = await (await machine({permission})).request(method, address(path), json=body)
            assert with_it.status_code not in (401, 403), (method, path, with_it.text)


@pytest.mark.parametrize("path", ["/auth/me", "/users/{own}", "/dashboard", "/exports", "/notifications"])
async def test_a_key_does_not_reach_what_is_its_owner_s(api: Api, sign_in: SignIn, path: str):
    person = await sign_in(roles=("admin",))
    own = f"/api/v1{path}".replace("{own}", str(person.user.id))
    assert (await person.http.get(own)).status_code == 200
    made = await person.http.post("/api/v1/auth/api-keys", json={"name": "k", "scopes": ["products:read"]})
    async with api.client(headers={"X-API-Key": made.json()["key"]}) as machine:
        assert (await machine.get(own)).status_code == 403


async def test_audit_rows_name_who_acted(api: Api, sign_in: SignIn):
    admin, person = await sign_in(roles=("admin",)), await sign_in()
    changed = await admin.http.patch(f"/api/v1/users/{person.user.id}", json={"full_name": "Renamed"})
    assert changed.status_code == 200
    async with api.database.transaction(read_only=True) as session:
        page = await list_user_changes(session, person.user.id, limit=1)
    assert page.items[0].changed_by == admin.user.id


async def test_what_is_withheld_until_the_address_is_verified(start_api: StartApi):
    api = await start_api(unverified_without=["orders:place"])
    async with api.client() as client:
        account = {"email": "ada@example.com", "username": "ada", "password": "blue kettle on fire"}
        assert (await client.post("/api/v1/auth/register", json=account)).status_code == 201
        login = {"email": account["email"], "password": account["password"]}
        tokens = (await client.post("/api/v1/auth/login", json=login)).json()
        assert "orders:place" not in tokens["user"]["permissions"]
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        made = await client.post("/api/v1/auth/api-keys", json={"name": "k", "scopes": ["orders:place"]})
        assert_problem(made, 403, "scope_not_held")
        assert (await client.get("/api/v1/orders")).status_code == 200
        assert_problem(await client.post("/api/v1/orders", json={"lines": []}), 403, "email_unverified")
        async with api.database.transaction() as session:
            user = await user_by_email(session, account["email"])
            assert user is not None
            secret = await verification.issue(session, user)
        assert (await client.post("/api/v1/auth/email/verify", json={"token": secret})).status_code == 200
        assert_problem(await client.post("/api/v1/orders", json={"lines": []}), 422, "validation_failed")


async def test_a_login_says_too_what_is_withheld(start_api: StartApi, sign_in: SignIn):
    api = await start_api(unverified_without=["users:write"])
    async with api.database.transaction() as session:
        user = await make_user(session, roles=("admin",), is_verified=False)
    admin = await sign_in(user=user)
    async with api.client(headers=admin.http.headers) as client:
        body = {"email": "grace@example.com", "username": "grace", "password": "blue kettle on fire"}
        assert_problem(await client.post("/api/v1/users", json=body), 403, "email_unverified")


async def test_a_permission_that_does_not_exist_cannot_be_withheld(start_api: StartApi):
    with pytest.raises(ValueError, match="orders:palce"):
        await start_api(unverified_without=["orders:palce"])
