"""Who changes whose account."""

from typing import Any

import pytest

from db.auth.permissions import CUSTOMER, ROLES
from tests.factories.auth import make_role, make_user
from tests.fixtures.client import Api, Person, SignIn, StartApi, assert_problem

SUPPORT = sorted(ROLES[CUSTOMER] | {"users:read", "users:write"})


@pytest.fixture
async def support(api: Api, sign_in: SignIn) -> Person:
    """Somebody who may change accounts, and is no administrator."""
    async with api.database.transaction() as session:
        await make_role(session, "support", SUPPORT)
    return await sign_in(roles=("support",))


@pytest.mark.parametrize(
    "changes",
    [
        {"email": "mine@example.com"},
        {"is_active": False},
        {"is_verified": False},
        {"username": "renamed"},
        {"full_name": "Somebody Else"},
    ],
)
async def test_nobody_changes_an_account_that_may_do_what_they_may_not(
    support: Person, sign_in: SignIn, changes: dict[str, Any]
) -> None:
    for role in ("admin", "operator", "analyst"):
        theirs = await sign_in(roles=("customer", role))
        path = f"/api/v1/users/{theirs.user.id}"
        before = (await support.http.get(path)).json()
        problem = assert_problem(await support.http.patch(path, json=changes), 403, "permission_denied")
        assert problem["permissions"] == sorted(ROLES[role] - set(SUPPORT))
        assert (await support.http.get(path)).json() == before
    colleague = await sign_in(roles=("support",))
    for theirs in (colleague, await sign_in()):
        changed = await support.http.patch(f"/api/v1/users/{theirs.user.id}", json=changes)
        assert changed.status_code == 200, changed.text
        changes = {key: f"x{value}" if isinstance(value, str) else value for key, value in changes.items()}


async def test_nor_replaces_nor_deletes_it(support: Person, sign_in: SignIn) -> None:
    admin, customer = await sign_in(roles=("admin",)), await sign_in()
    for theirs, status in ((admin, 403), (customer, 200)):
        path = f"/api/v1/users/{theirs.user.id}"
        account = (await support.http.get(path)).json()
        names = ("email", "username", "full_name", "metadata", "is_active", "is_verified", "roles")
        whole = {name: account[name] for name in names} | {"full_name": "Somebody Else"}
        assert (await support.http.put(path, json=whole, headers={"If-Match": "*"})).status_code == status
    assert_problem(await support.http.delete(f"/api/v1/users/{admin.user.id}"), 403, "permission_denied")
    assert (await support.http.delete(f"/api/v1/users/{customer.user.id}")).status_code == 204
    assert (await admin.http.get("/api/v1/auth/me")).status_code == 200


async def test_nor_takes_its_second_factor_away(support: Person, sign_in: SignIn) -> None:
    admin, customer = await sign_in(roles=("admin",)), await sign_in()
    refused = await support.http.delete(f"/api/v1/users/{admin.user.id}/second-factor")
    assert_problem(refused, 403, "permission_denied")
    none = await support.http.delete(f"/api/v1/users/{customer.user.id}/second-factor")
    assert_problem(none, 409, "second_factor_disabled")


async def test_administrators_change_each_other_and_everybody_themselves(support: Person, sign_in: SignIn) -> None:
    one, other = await sign_in(roles=("admin",)), await sign_in(roles=("admin",))
    for theirs in (other, support):
        disabled = await one.http.patch(f"/api/v1/users/{theirs.user.id}", json={"is_verified": False})
        assert disabled.status_code == 200, disabled.text
    own = await support.http.patch(f"/api/v1/users/{support.user.id}", json={"full_name": "Me"})
    assert own.status_code == 200, own.text


async def test_what_is_withheld_from_an_unverified_administrator_counts(start_api: StartApi, support: Person) -> None:
    """Or a new address, once verified, would bring all of it."""
    api = await start_api(unverified_without=sorted(ROLES["admin"] - set(SUPPORT)))
    async with api.database.transaction() as session:
        admin = await make_user(session, roles=("admin",), is_verified=False)
    async with api.client(headers=support.http.headers) as http:
        changed = await http.patch(f"/api/v1/users/{admin.id}", json={"email": "mine@example.com"})
    assert_problem(changed, 403, "permission_denied")
