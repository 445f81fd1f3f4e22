"""Pieces of documentation."""

from serve_app.openapi_parts import MEANINGS, declares, key_permitted, permitted, problems


def test_problems_refer_to_the_one_schema():
    described = problems(404, 409)
    assert set(described) == {404, 409}
    assert described[404]["description"] == MEANINGS[404]
    assert list(described[404]["content"]) == ["application/problem+json"]


def test_permissions_are_named():
    assert permitted("orders:manage") == {"x-permission": "orders:manage"}
    assert key_permitted("users:read") == {"x-key-permission": "users:read"}


def test_a_dependency_carries_what_it_demands():
    @declares(permitted("orders:read"))
    async def dependency() -> None: ...

    assert dependency.declared == {"x-permission": "orders:read"}  # type: ignore[attr-defined]
