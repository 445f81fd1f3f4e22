"""Accounts as responses."""

from uuid import uuid4

from serve_app.security.principal import Principal
from serve_app.users.presenting import present_current_user, present_user
from tests.factories.auth import make_user
from tests.fixtures.client import Api


def principal(user_id: object, *permissions: str) -> Principal:
    return Principal(user_id, "ada", frozenset({"customer"}), frozenset(permissions), "bearer")  # type: ignore[arg-type]


async def test_links_follow_ownership_and_permissions(api: Api):
    async with api.database.transaction() as session:
        user = await make_user(session)
    assert set(present_user(user, [], principal(user.id)).links) == {"self", "orders", "update", "delete"}
    assert set(present_user(user, [], principal(uuid4())).links) == {"self"}
    assert set(present_user(user, [], principal(uuid4(), "users:write")).links) == {
        "self",
        "update",
        "delete",
        "replace",
    }
    assert set(present_user(user, [], principal(user.id), full=False).links) == {"self"}
    assert "password_hash" not in present_user(user, [], None).model_dump()
    assert present_current_user(user, principal(user.id, "b", "a")).permissions == ["a", "b"]
